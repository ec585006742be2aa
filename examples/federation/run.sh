#!/bin/sh
# Runs the server of one region, global or eu, in this terminal, after setup.sh, from the same folder:
#
#   NOMAD=path/to/nomad ./run.sh eu
set -eu
NOMAD=${NOMAD:-nomad}
here=$(cd "$(dirname "$0")" && pwd)
exec "$NOMAD" agent \
  -config="$here/$1.hcl" -config=secrets/gossip.hcl -data-dir="$PWD/data/$1"
