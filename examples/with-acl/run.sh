#!/bin/sh
# Runs server 1, 2 or 3 of ../three-servers with ACLs in this terminal, after its setup.sh, from the same
# folder:
#
#   NOMAD=path/to/nomad ./run.sh 1
set -eu
NOMAD=${NOMAD:-nomad}
here=$(cd "$(dirname "$0")" && pwd)
exec "$NOMAD" agent -config="$here/../three-servers/server$1.hcl" -config="$here/acl.hcl" \
  -config=secrets/gossip.hcl -data-dir="$PWD/data/server$1"
