#!/bin/sh
# Makes what three servers need to trust each other: a CA, one server certificate, one for the
# command line, and a gossip key. Run it once, in any folder; everything goes to ./secrets.
#
#   NOMAD=path/to/nomad ./setup.sh
set -eu
NOMAD=${NOMAD:-nomad}
umask 077
mkdir -p secrets
cd secrets

"$NOMAD" tls ca create
# On real machines make one certificate per server and leave the CA's key on neither of them.
"$NOMAD" tls cert create -server -region global \
  -additional-ipaddress=127.0.0.2 -additional-ipaddress=127.0.0.3 -additional-ipaddress=127.0.0.4
"$NOMAD" tls cert create -cli -region global
printf 'server {\n  encrypt = "%s"\n}\n' "$("$NOMAD" keygen -bytes=32)" > gossip.hcl
echo "==> Gossip key saved to gossip.hcl"
