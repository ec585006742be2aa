#!/bin/sh
# What the servers need (../three-servers/setup.sh), and a certificate for clients. Run it once, in any
# folder; everything goes to ./secrets.
#
#   NOMAD=path/to/nomad ./setup.sh
set -eu
NOMAD=${NOMAD:-nomad}
here=$(cd "$(dirname "$0")" && pwd)
umask 077
[ -e secrets/nomad-agent-ca.pem ] || "$here/../three-servers/setup.sh"
cd secrets
# On real machines each client has one of its own.
"$NOMAD" tls cert create -client -region global \
  -additional-ipaddress=127.0.0.5 -additional-ipaddress=127.0.0.6
