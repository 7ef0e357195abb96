"""What a guard, or the ledger, costs: the P50 of dense pages with it over that without it, interleaved.

    prices.py KEYHOLE_GUARDS GUARDS ALLOWED [PAIRS [REQUESTS]]

KEYHOLE_GUARDS is the binary built by `cargo build --release -p keyhole-guards --features ablation`; GUARDS are
names of host/log/src/guards.rs, by commas; ALLOWED is the largest median ratio, such as 1.03. KEYHOLE_DATA and the
other folders are taken from the environment. One request is in flight, so that no worker waits for another.
Prints for each strategy the median of the pairs' ratios, an interval that holds the true one at 95 % (by order
statistics), and their spread. Exit 1 where a median is over ALLOWED.
"""

import json
import math
import os
import statistics
import subprocess
import sys

STRATEGIES = ["native-keyset", "keyset"]


def p50s(program, off, requests):
    """The P50 in microseconds of each strategy on the dense stream, with these guards off."""
    command = [program, "--run", "--quiet", "--json", "bench", *STRATEGIES, "--mix", "dense"]
    command += ["--requests", str(requests), "--concurrency", "1"]
    # A limit of time that strikes on a busy machine is no price.
    patient = {f"KEYHOLE_LIMITS_{name}": "1m" for name in ("GUEST_TIME", "WALL_TIME", "LOG_LOCK")}
    environment = {**os.environ, **patient, "KEYHOLE_GUARDS_OFF": off}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    [mix] = json.loads(ran.stdout)["mixes"]
    return {result["strategy"]: result["p50_us"] for result in mix["results"]}


def interval(ratios):
    """The order statistics between which the median lies at 95 %; all of them where there are few."""
    ratios = sorted(ratios)
    count = len(ratios)
    below, left = 0.0, -1
    while True:
        below += math.comb(count, left + 1) / 2**count
        if below > 0.025:
            break
        left += 1
    left = max(left, 0)
    return ratios[left], ratios[count - 1 - left]


def main(program, guards, allowed, pairs, requests):
    ratios = {strategy: [] for strategy in STRATEGIES}
    # What a first run finds cold, no pair shall have.
    p50s(program, "", 500)
    for pair in range(pairs):
        # Whatever drifts meets both sides alike.
        order = ["", guards] if pair % 2 else [guards, ""]
        figures = {off: p50s(program, off, requests) for off in order}
        for strategy, found in ratios.items():
            found.append(figures[""][strategy] / figures[guards][strategy])
    held = True
    for strategy, found in ratios.items():
        price = statistics.median(found)
        low, high = interval(found)
        held &= price <= allowed
        print(
            f"{strategy}: a dense page's P50 with {guards} is {price:.3f} times that without "
            f"({low:.3f} to {high:.3f} at 95 %; {pairs} interleaved pairs, {min(found):.3f} to {max(found):.3f}; "
            f"allowed {allowed:.2f})"
        )
    return 0 if held else 1


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    PAIRS = int(sys.argv[4]) if len(sys.argv) > 4 else 15
    REQUESTS = int(sys.argv[5]) if len(sys.argv) > 5 else 4000
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), PAIRS, REQUESTS))
