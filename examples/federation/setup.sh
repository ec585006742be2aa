#!/bin/sh
# A CA, one server certificate for each region, one for the command line, and a gossip key. Run it once,
# in any folder; everything goes to ./secrets.
#
#   NOMAD=path/to/nomad ./setup.sh
set -eu
NOMAD=${NOMAD:-nomad}
umask 077
mkdir -p secrets
cd secrets

"$NOMAD" tls ca create
"$NOMAD" tls cert create -server -region global -additional-ipaddress=127.0.0.2
"$NOMAD" tls cert create -server -region eu -additional-ipaddress=127.0.0.3
"$NOMAD" tls cert create -cli -region global
printf 'server {\n  encrypt = "%s"\n}\n' "$("$NOMAD" keygen)" > gossip.hcl
