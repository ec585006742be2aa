#!/bin/sh
# A CA, a server certificate, and a gossip key, for the steps. Run it once, in any folder; everything goes
# to ./secrets.
#
#   NOMAD=path/to/nomad ./setup.sh
set -eu
NOMAD=${NOMAD:-nomad}
umask 077
mkdir -p secrets
cd secrets
"$NOMAD" tls ca create
"$NOMAD" tls cert create -server -region global
printf 'server {\n  encrypt = "%s"\n}\n' "$("$NOMAD" keygen)" > gossip.hcl
