#!/usr/bin/env bash
# Prices: the ledger may cost 3 % of a dense page's P50, the checks of a page 10 %. Without KEYHOLE_DATA, on the
# contract's data set, seeded for it.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml" -p keyhole-guards --features ablation || exit 1
guards=$root/target/release/keyhole-guards
if [ -z "${KEYHOLE_DATA:-}" ]; then
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    export KEYHOLE_DATA=$place/data KEYHOLE_STATE=$place/state KEYHOLE_CACHE=$place/cache
    "$guards" --run --quiet seed || exit 1
fi
failed=0
python3 "$here/prices.py" "$guards" ledger 1.03 "$@" || failed=1
python3 "$here/prices.py" "$guards" page-checks,page-proof 1.10 "$@" || failed=1
exit $failed
