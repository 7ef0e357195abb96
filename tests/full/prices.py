"""What a guard costs: the P50 of dense pages with it over that without it, in interleaved runs.

    prices.py KEYHOLE_OF_ABLATION GUARDS [PAIRS]

KEYHOLE_OF_ABLATION is the binary built with `--features ablation`; KEYHOLE_DATA and the other folders are
taken from the environment. Prints the median of the pairs' ratios and their spread for each strategy. Exit 1
where the median price is over 10 %.
"""

import json
import os
import statistics
import subprocess
import sys

STRATEGIES = ["native-keyset", "keyset"]
ALLOWED = 1.10


def p50s(keyhole, off):
    """The P50 in microseconds of each strategy on the dense stream, with these guards off."""
    command = [keyhole, "--quiet", "--json", "bench", *STRATEGIES, "--mix", "dense", "--requests", "4000"]
    environment = {**os.environ, "KEYHOLE_GUARDS_OFF": off}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    [mix] = json.loads(ran.stdout)["mixes"]
    return {result["strategy"]: result["p50_us"] for result in mix["results"]}


def main(keyhole, guards, pairs):
    ratios = {strategy: [] for strategy in STRATEGIES}
    for pair in range(pairs):
        # Whatever drifts meets both sides alike.
        order = ["", guards] if pair % 2 else [guards, ""]
        figures = {off: p50s(keyhole, off) for off in order}
        for strategy, found in ratios.items():
            found.append(figures[""][strategy] / figures[guards][strategy])
    held = True
    for strategy, found in ratios.items():
        price = statistics.median(found)
        held &= price <= ALLOWED
        print(
            f"{strategy}: a dense page's P50 with {guards} is {price:.3f} times that without "
            f"(median of {pairs} interleaved pairs, {min(found):.3f} to {max(found):.3f})"
        )
    return 0 if held else 1


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 7))
