#!/bin/sh
# Runs client 1 or 2 in this terminal, after setup.sh, from the same folder:
#
#   NOMAD=path/to/nomad ./run.sh 1
set -eu
NOMAD=${NOMAD:-nomad}
here=$(cd "$(dirname "$0")" && pwd)
exec "$NOMAD" agent -config="$here/client$1.hcl" -data-dir="$PWD/data/client$1"
