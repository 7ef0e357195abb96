#!/bin/sh
# Has schemathesis (PyPI, in a virtual environment below target/) try everything that /openapi.json describes.
# usage: tests/full/schemathesis.sh [EXAMPLES]
set -eu
cd "$(dirname "$0")/../.."
venv=target/schemathesis
[ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" --quiet install schemathesis; }
. tests/full/server.sh
serve --rate 0
"$venv/bin/schemathesis" run "http://$address/openapi.json" --max-examples "${1:-200}" --checks all
