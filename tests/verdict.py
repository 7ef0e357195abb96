"""Judges a benchmark: ratios on the same requests against what a quiet machine shows.

A machine that does something else besides moves times, not instructions, which are judged apart. So each bound here
is a third of what two quiet cores show (three times, where less is better). Requests per second are judged by the
median over the interleaved rounds, which no disturbed round moves, percentiles by the whole run; both are printed.
"""

import json
import sys

# (mix, of, to, measure, at least or at most, bound, on two quiet cores, what it means)
PROMISES = [
    ("contract", "keyset", "baseline", "rps_median", ">=", 38, 116, "times the requests per second"),
    ("contract", "keyset", "baseline", "p99", "<=", 0.135, 0.045, "of the P99"),
    ("dense", "keyset", "baseline", "rps_median", ">=", 13, 41, "times the requests per second"),
    ("dense", "keyset", "baseline", "p99", "<=", 0.051, 0.017, "of the P99"),
    ("dense", "keyset", "native-keyset", "p50", "<=", 1.30, 1.09, "times the P50: the sandbox's price"),
]


def main(path):
    with open(path, encoding="utf-8") as file:
        mixes = {mix["mix"]: mix for mix in json.load(file)["mixes"]}
    held = True
    for name, of, to, measure, side, bound, quiet, meaning in PROMISES:
        ratios = mixes[name]["ratios"]
        ratio = next(ratio for ratio in ratios if (ratio["of"], ratio["to"]) == (of, to))
        figure = ratio[measure]
        holds = figure >= bound if side == ">=" else figure <= bound
        held &= holds
        print(f"{'ok' if holds else 'MISSED'}: {name}: {of} has {figure:.3g} {meaning} of {to} (promised {side} {bound}; {quiet} where nothing else runs)")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
