#!/usr/bin/env bash
# How long the live system's writer waits for its commits at 5,000,000 events: beside a plain OFFSET
# reader, beside the first fill of keyset's scratch, and beside a refresh after 1,000 late events.
#
#   tests/full/writer_waits.sh FOLDER [ROWS]
#
# FOLDER must not exist; about 2 GB are used in it, and it is removed at the end. Exit 1 if a commit beside
# keyset waits more than 25 ms longer than the longest beside the OFFSET reader, or anyone is locked out.
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
    echo "usage: $0 FOLDER [ROWS]" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
keyhole=${KEYHOLE:-$here/../../target/release/keyhole}
folder=$1
rows=${2:-5000000}
mkdir "$folder"
trap 'rm -rf "$folder"' EXIT
folder=$(cd "$folder" && pwd)

export KEYHOLE_CACHE=$folder/cache KEYHOLE_STATE=$folder/state TMPDIR=$folder
"$keyhole" --quiet seed --rows "$rows" --short-payloads --data "$folder/data" >/dev/null
python3 "$here/writer_waits.py" "$keyhole" "$folder/data"
