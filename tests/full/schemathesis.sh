#!/bin/sh
# Has schemathesis (PyPI, in a virtual environment below target/) try everything that /openapi.json describes.
# usage: tests/full/schemathesis.sh [EXAMPLES]
set -eu
cd "$(dirname "$0")/../.."
venv=target/schemathesis
[ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" --quiet install schemathesis; }
. tests/full/server.sh
serve --rate 0
url=http://$address
examples=${1:-200}
# Nothing can say in OpenAPI that `page` and `after` exclude each other, nor what a cursor of this log looks like: with
# `after` in play, a request that fits the description may be refused.
"$venv/bin/schemathesis" run "$url/openapi.json" --max-examples "$examples" --exclude-checks positive_data_acceptance
# Without it, none may.
python3 - "$url/openapi.json" >"$place/openapi.json" <<'PYTHON'
import json, sys, urllib.request
document = json.load(urllib.request.urlopen(sys.argv[1]))
events = document["paths"]["/v1/events"]["get"]
events["parameters"] = [one for one in events["parameters"] if one["name"] != "after"]
json.dump(document, sys.stdout)
PYTHON
"$venv/bin/schemathesis" run "$place/openapi.json" --url "$url" --max-examples "$examples"
