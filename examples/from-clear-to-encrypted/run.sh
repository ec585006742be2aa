#!/bin/sh
# Runs server 1, 2 or 3 in this terminal as it is after step 0, 1, 2 or 3, from the folder of setup.sh:
#
#   NOMAD=path/to/nomad ./run.sh 1 0
set -eu
NOMAD=${NOMAD:-nomad}
here=$(cd "$(dirname "$0")" && pwd)
number=$1 step=$2
set -- -config="$here/server.hcl"
[ "$step" = 0 ] || set -- "$@" -config="$here/tls.hcl" -config=secrets/gossip.hcl -config="$here/step$step.hcl"
exec "$NOMAD" agent "$@" -node="server$number" -bind="127.0.0.$((number + 1))" \
  -data-dir="$PWD/data/server$number"
