"""Judges a benchmark: ratios on the same requests against what the project promises.

Requests per second are judged by the median over interleaved rounds, which one disturbed round
cannot move; percentiles by the whole run.
"""

import json
import sys

# (mix, of, to, measure, at least or at most, bound, what it means)
PROMISES = [
    ("contract", "keyset", "baseline", "rps_median", ">=", 50, "times the requests per second"),
    ("contract", "keyset", "baseline", "p99", "<=", 0.10, "of the P99"),
    ("dense", "keyset", "baseline", "rps_median", ">=", 6, "times the requests per second"),
    ("dense", "keyset", "baseline", "p99", "<=", 0.25, "of the P99"),
    ("dense", "keyset", "native-keyset", "p50", "<=", 1.30, "times the P50: the sandbox's price"),
]


def main(path):
    with open(path, encoding="utf-8") as file:
        mixes = {mix["mix"]: mix for mix in json.load(file)["mixes"]}
    held = True
    for name, of, to, measure, side, bound, meaning in PROMISES:
        ratios = mixes[name]["ratios"]
        ratio = next(ratio for ratio in ratios if (ratio["of"], ratio["to"]) == (of, to))
        figure = ratio[measure]
        holds = figure >= bound if side == ">=" else figure <= bound
        held &= holds
        print(f"{'ok' if holds else 'MISSED'}: {name}: {of} has {figure:.3g} {meaning} of {to} (promised {side} {bound})")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
