# Sourced by its neighbours: `serve [OPTION…]` starts a server of the contract's data set, whose address is then in
# $address, and which ends with the script.
keyhole=$PWD/target/release/keyhole
place=$(mktemp -d)
server=
trap 'stop; rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
"$keyhole" seed --data "$place/data" >/dev/null

stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server" || true; server=; }
}

serve() {
    : >"$place/log"
    "$keyhole" --json --data "$place/data" --state "$place/state" --cache "$place/cache" \
        serve --listen 127.0.0.1:0 "$@" >"$place/out" 2>"$place/log" &
    server=$!
    address=
    while [ -z "$address" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$place/log" >&2; exit 1; }
        address=$(sed -n 's/.*"listening","address":"\([^"]*\)".*/\1/p' "$place/log")
        sleep 0.1
    done
    # It listens while its scratch is filled.
    until grep -q '"serving"' "$place/log"; do
        kill -0 "$server" 2>/dev/null || { cat "$place/log" >&2; exit 1; }
        sleep 0.1
    done
}
