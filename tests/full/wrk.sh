#!/bin/sh
# Measures the OFFSET strategy and the keyset strategy over loopback with wrk (Debian package `wrk`), on both
# streams, interleaved. usage: tests/full/wrk.sh [ROUNDS [SECONDS]]
set -eu
cd "$(dirname "$0")/../.."
command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 2; }
. tests/full/server.sh
rounds=${1:-5} seconds=${2:-10}
for stream in contract dense; do
    grep "\"mix\": \"$stream\"" tests/data/pages.jsonl >"$place/$stream"
done
cat >"$place/requests.lua" <<'LUA'
local targets, turn = {}, 0
function init(args)
    for line in io.lines(args[1]) do
        local query = {}
        local asked = line:match('"query": (%b{})')
        for key, value in asked:gmatch('"([%w_]+)": ([^,}]+)') do
            if value ~= "null" then query[#query + 1] = key .. "=" .. value:gsub('"', "") end
        end
        targets[#targets + 1] = "/v1/events?" .. table.concat(query, "&")
    end
end
function request()
    turn = turn % #targets + 1
    return wrk.format("GET", targets[turn])
end
function done(summary, latency)
    local errors = summary.errors
    print(string.format("%10.0f requests/s   P50 %8.0f us   P99 %8.0f us   not 2xx %d, broken %d",
        summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
LUA
for round in $(seq "$rounds"); do
    for strategy in baseline keyset; do
        rm -rf "$place/state"
        printf 'version = 1\n[serve]\nactive = "%s"\nreference_share = 0.0\n' "$strategy" >"$place/$strategy.toml"
        serve --rate 0 --policy "$place/$strategy.toml"
        for stream in contract dense; do
            printf '%s %-8s %-8s ' "$round" "$stream" "$strategy"
            wrk --threads 1 --connections 4 --duration "${seconds}s" --script "$place/requests.lua" \
                "http://$address" -- "$place/$stream" | grep 'requests/s'
        done
        stop
    done
done
