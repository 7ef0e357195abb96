"""Writes the table of measures from the results that tests/full/table left.

    table.py FOLDER

A row whose result is missing says so. A figure is the median over the interleaved rounds, with the least
and the most of a round, and the interval of 95 % confidence for the ratio of the rounds' means. Figures
of P99 have no median: they are of the whole run. Those of scale.py are the median, the least and the most
of so many runs, or blocks of rounds.
"""

import json
import os
import statistics
import sys


def figure(value):
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"


def told(ratio, measure):
    """A ratio of requests per second (rps), of medians (p50) or of 99th percentiles (p99)."""
    interval = ratio[f"{measure}_95"]
    within = f"; 95 %: {figure(interval[0])} to {figure(interval[1])}" if interval else ""
    if measure == "p99":
        return f"{figure(ratio['p99'])} (whole run{within})"
    middle, low, high = (ratio[f"{measure}_{which}"] for which in ("median", "low", "high"))
    return f"{figure(middle)} ({figure(low)} to {figure(high)}{within})"


def of_mix(result, mix, of, to):
    [found] = [found for found in result["mixes"] if found["mix"] == mix]
    return next(ratio for ratio in found["ratios"] if (ratio["of"], ratio["to"]) == (of, to))


def of_sweep(result, sweep, strategy, of):
    """The step to the point `of`, or to the last."""
    [found] = [found for found in result["sweeps"] if found["sweep"] == sweep]
    steps = [step for step in found["steps"] if step["strategy"] == strategy]
    return steps[-1] if of is None else next(step for step in steps if step["of"] == of)


STRATEGIES = ["keyset", "keyset-warm", "native-keyset"]


def rows():
    """Name, result, how to find the ratio in it, measure, what is to be reached."""
    contract, dense, size, workers = "contract", "dense-50", "size", "workers"
    pair = lambda mix, of, to: lambda result: of_mix(result, mix, of, to)  # noqa: E731
    step = lambda sweep, of, to=None: lambda result: of_sweep(result, sweep, of, to)  # noqa: E731
    yield "contract stream, keyset ÷ baseline, RPS: fresh", contract, pair(contract, "keyset", "baseline"), "rps", "≥ 100"
    yield "– warm", contract, pair(contract, "keyset-warm", "baseline"), "rps", "≥ 200"
    yield "– the floor, a snapshot alone", contract, pair(contract, "floor-snapshot", "baseline"), "rps", "–"
    yield "dense stream, keyset ÷ baseline, RPS", dense, pair(dense, "keyset", "baseline"), "rps", "≥ 12"
    yield "– P99", dense, pair(dense, "keyset", "baseline"), "p99", "≤ 0.1"
    yield "dense 50-event page, sandboxed ÷ native twin, P50: fresh", dense, pair(dense, "keyset", "native-keyset"), "p50", "≤ 1.10"
    yield "– warm", dense, pair(dense, "keyset-warm", "native-keyset"), "p50", "≤ 1.05"
    for strategy in STRATEGIES:
        name = f"dense 50-event page ÷ fifty bare positioned reads of the same spans, P50: {strategy}"
        yield name, dense, pair(dense, strategy, "floor-reads"), "p50", "≤ 2.5"
    for strategy in STRATEGIES:
        yield f"page 1000 ÷ page 1, P50: {strategy}", "depth", step("depth", strategy, "page 1000"), "p50", "≤ 1.05"
    for mix, bound in [(contract, "≤ 1.2"), (dense, "≤ 1.4")]:
        for strategy in STRATEGIES:
            name = f"large ÷ small log, short payloads, P50: {mix}, {strategy}"
            yield name, size, step(f"{mix} by size of the log", strategy), "p50", bound
    for point, words in [("actor", "one actor's"), ("action", "one action's"), ("both", "one actor's and action's")]:
        for strategy in STRATEGIES:
            name = f"{words} deep page ÷ no filter, P50: {strategy}"
            yield name, "filter", step("filter", strategy, point), "p50", "≤ 1.2"
    for mix in [contract, dense]:
        for strategy in STRATEGIES:
            name = f"2 workers ÷ 1 worker, RPS: {mix}, {strategy}"
            yield name, workers, step(f"{mix} by workers", strategy, "2 workers"), "rps", "≥ 1.8"


BENCHMARKS = ["contract", "dense-50", "depth", "size", "filter", "workers"]
SCALES = ["fill", "start", "refresh", "append"]


def of_scale(measure):
    values, unit = measure["values"], measure["unit"]
    middle, low, high = (figure(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} {unit}".strip() + f" ({low} to {high} of {len(values)})"


def main(folder):
    results = {}
    for name in BENCHMARKS + SCALES:
        path = os.path.join(folder, f"{name}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results[name] = json.load(file)
    for name, result in results.items():
        machine, conditions = result["machine"], result["conditions"]
        loads = f"load {conditions['load_before']} before, {conditions['load_after']} after"
        logs = ", ".join(f"{log['rows']:,} events" for log in result["logs"])
        print(f"- {name}: {conditions['started']}, {machine['cpu']}, {machine['cores']} cores; {logs}; {loads}")
    print("\n| measure | median (least to most of a round; interval) | reach |\n|---|---|---|")
    for name, result, find, measure, reach in rows():
        try:
            cell = told(find(results[result]), measure) if result in results else "not measured"
        except (StopIteration, ValueError, IndexError):
            cell = "not in the result"
        print(f"| {name} | {cell} | {reach} |")
    for name in SCALES:
        if name not in results:
            print(f"| {name} | not measured | – |")
            continue
        for measure in results[name]["measures"]:
            print(f"| {measure['measure']} | {of_scale(measure)} | {measure['reach']} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
