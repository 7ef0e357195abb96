#!/usr/bin/env bash
# Prices: the ledger may cost 3 % of a dense page's P50, the checks of a page 10 %.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml" -p keyhole-guards --features ablation || exit 1
failed=0
python3 "$here/prices.py" "$root/target/release/keyhole-guards" ledger 1.03 "$@" || failed=1
python3 "$here/prices.py" "$root/target/release/keyhole-guards" page-checks,page-proof 1.10 "$@" || failed=1
exit $failed
