"""Measures a row of the table that is no benchmark of pages: what scratch, refreshes and starts cost.

    scale.py KEYHOLE ROW DATA WORK OUT [ROUNDS]

ROW is one of
    fill     scratch's bytes an event, the time to fill it, the memory of an instance
    start    from the start of the process to its first page, printed, with scratch in place
    refresh  taking in 1,000 late events: transaction, checkpoint, bytes of write-ahead log
    append   a page right after another process appended an event, against a page without that

DATA is the log's folder. It is never written to: `refresh` and `append` work on a copy. WORK holds caches, and
the copies while they are needed. OUT gets the figures as JSON. What is printed is the same for people.
"""

import datetime
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

STRATEGIES = {"keyset": ("keyset",), "keyset-warm": ("keyset", "--instances", "warm"), "native-keyset": ("native-keyset",)}
TWO = ("keyset", "native-keyset")
LATE = 1000


class Bench:
    def __init__(self, keyhole, data, work):
        self.keyhole, self.data, self.work = keyhole, data, work
        self.environment = {**os.environ, "KEYHOLE_STATE": os.path.join(work, "state")}

    def command(self, strategy, *options, data=None, cache="cache"):
        name, *instances = STRATEGIES[strategy]
        folders = ["--data", data or self.data, "--cache", os.path.join(self.work, cache)]
        return [self.keyhole, "--quiet", *folders, "page", name, *instances, *options]

    def first_page(self, *command):
        """The ledger of the page that this prints first."""
        ran = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, check=True)
        return json.loads(ran.stdout)["ledger"]

    def copy(self):
        folder = os.path.join(self.work, "copy")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.data, folder)
        return folder

    def events(self):
        log = sqlite3.connect(f"file:{self.data}/audit.db?mode=ro", uri=True)
        return log.execute("SELECT max(id), min(created_at), max(created_at) FROM audit_events").fetchone()


class Writer:
    """Another process's writer, as the live system has it: CPython's sqlite3, a payload before its row."""

    def __init__(self, folder, oldest, newest):
        self.db = sqlite3.connect(os.path.join(folder, "audit.db"))
        self.payloads = open(os.path.join(folder, "payloads.jsonl"), "ab")
        self.offset = os.path.getsize(os.path.join(folder, "payloads.jsonl"))
        self.oldest, self.newest, self.random = oldest, newest, random.Random(7)

    def append(self, events):
        """So many late events in one commit: each lies anywhere in the order."""
        insert = """INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id, payload_offset,
                    payload_len) VALUES (?, ?, ?, 'ORDER', 'ORDER-1', ?, ?)"""
        for _ in range(events):
            line = json.dumps({"appended": self.random.randrange(10**6)}).encode() + b"\n"
            self.payloads.write(line)
            at, actor = self.random.randint(self.oldest, self.newest), self.random.randint(1, 2000)
            action = self.random.choice(["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"])
            self.db.execute(insert, (at, actor, action, self.offset, len(line)))
            self.offset += len(line)
        self.payloads.flush()
        self.db.commit()


class Conversation:
    """A process that answers each request that it is given."""

    def __init__(self, bench, strategy, data):
        command = bench.command(strategy, "--ledger", "--queries", "-", data=data)
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(command, env=bench.environment, stdin=pipe, stdout=pipe, text=True)

    def ask(self, request):
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"{self.child.args} ended with {self.child.wait()}")
        return json.loads(line)["ledger"]

    def end(self):
        self.child.stdin.close()
        self.child.wait()


def dense(events, oldest, newest):
    """Full pages of 50 anywhere in the log."""
    draws = random.Random(1337)
    while True:
        yield {"from_ts": oldest, "to_ts": newest, "actor_id": None, "action": None,
               "page": draws.randint(1, events // 50), "page_size": 50}


def fill(bench, rounds):
    events, oldest, newest = bench.events()
    sizes, times, memory = [], {name: [] for name in TWO}, []
    for turn in range(rounds):
        for strategy in TWO if turn % 2 else reversed(TWO):
            shutil.rmtree(os.path.join(bench.work, "filling"), ignore_errors=True)
            scratch = bench.first_page(*bench.command(strategy, "--ledger", "--json", cache="filling"))["scratch"]
            if not (scratch["refreshed"] and scratch["refreshed"]["filled"]):
                sys.exit(f"{strategy} filled nothing")
            times[strategy].append(scratch["refreshed"]["us"]["took"] / 1e6)
            if strategy == "keyset":
                sizes.append(scratch["bytes"] / events)
                memory.append(scratch["refreshed"]["memory"] / 2**20)
    shutil.rmtree(os.path.join(bench.work, "filling"), ignore_errors=True)
    talk, pages = Conversation(bench, "keyset", bench.data), dense(events, oldest, newest)
    of_pages = [talk.ask(next(pages))["memory"] / 2**20 for _ in range(200)]
    talk.end()
    yield "scratch, bytes an event: keyset", "B", sizes, "≤ 65"
    for strategy in TWO:
        yield f"time to fill scratch: {strategy}", "s", times[strategy], "≤ 20"
    yield "memory of an instance that fills scratch: keyset", "MiB", memory, "≤ 8"
    yield "memory of an instance that answers a dense page: keyset", "MiB", of_pages, "≤ 8"


def start(bench, rounds):
    times = {name: [] for name in TWO}
    for strategy in TWO:
        subprocess.run(bench.command(strategy), env=bench.environment, stdout=subprocess.DEVNULL, check=True)
    for turn in range(rounds):
        for strategy in TWO if turn % 2 else reversed(TWO):
            command = bench.command(strategy)
            began = time.perf_counter()
            child = subprocess.Popen(command, env=bench.environment, stdout=subprocess.PIPE)
            line = child.stdout.readline()
            times[strategy].append(time.perf_counter() - began)
            child.stdout.close()
            if child.wait() != 0 or not line.startswith(b"{"):
                sys.exit(f"{command} printed no page")
    for strategy in TWO:
        yield f"start to first page, scratch in place: {strategy}", "s", times[strategy], "≤ 0.2"


def refresh(bench, rounds):
    _, oldest, newest = bench.events()
    data = bench.copy()
    writer, taken = Writer(data, oldest, newest), {name: [] for name in TWO}
    for strategy in TWO:
        subprocess.run(bench.command(strategy, data=data), env=bench.environment, stdout=subprocess.DEVNULL, check=True)
    for turn in range(rounds):
        writer.append(LATE)
        for strategy in TWO if turn % 2 else reversed(TWO):
            scratch = bench.first_page(*bench.command(strategy, "--ledger", "--json", data=data))["scratch"]
            found = scratch["refreshed"]
            if not found or found["filled"] or found["events"] != LATE:
                sys.exit(f"{strategy} did not take in {LATE} events: {found}")
            taken[strategy].append(found)
    shutil.rmtree(data)
    for strategy in TWO:
        for key, words, reach in [("transactions", "transaction", "≤ 50"), ("checkpoint", "checkpoint", "–"), ("feed", "copying the events", "–")]:
            times = [found["us"][key] / 1e3 for found in taken[strategy]]
            yield f"refresh after {LATE:,} late events, {words}: {strategy}", "ms", times, reach
        bytes_written = [found["wal_bytes"] / 2**20 for found in taken[strategy]]
        yield f"refresh after {LATE:,} late events, write-ahead log: {strategy}", "MiB", bytes_written, "–"


def append(bench, rounds):
    events, oldest, newest = bench.events()
    if rounds > 990:
        sys.exit("after 1,000 appended events a refresh would run beside the pages: at most 990 rounds")
    data = bench.copy()
    writer, pages, names = Writer(data, oldest, newest), dense(events, oldest, newest), list(STRATEGIES)
    talks = {name: Conversation(bench, name, data) for name in names}
    for talk in talks.values():
        for _ in range(50):
            talk.ask(next(pages))
    after, without = {name: [] for name in names}, {name: [] for name in names}
    for turn in range(rounds):
        order = names[turn % len(names):] + names[:turn % len(names)]
        writer.append(1)
        for kept in (after, without):
            for name in order:
                kept[name].append(talks[name].ask(next(pages))["us"]["page"])
    for talk in talks.values():
        talk.end()
    shutil.rmtree(data)
    size = max(1, rounds // 10)
    for name in names:
        blocks = [slice(at, at + size) for at in range(0, rounds - size + 1, size)]
        ratios = [statistics.median(after[name][block]) / statistics.median(without[name][block]) for block in blocks]
        yield f"page right after an append by another process ÷ page without, P50: {name}", "", ratios, "≤ 1.3"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown"


ROWS = {"fill": (fill, 3), "start": (start, 40), "refresh": (refresh, 15), "append": (append, 600)}


def main(keyhole, row, data, work, out, rounds=None):
    measure, usual = ROWS[row]
    os.makedirs(work, exist_ok=True)
    bench = Bench(os.path.realpath(keyhole), os.path.realpath(data), os.path.realpath(work))
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    before = os.getloadavg()[0]
    measures = []
    for name, unit, values, reach in measure(bench, int(rounds or usual)):
        measures.append({"measure": name, "unit": unit, "values": values, "reach": reach})
        middle = statistics.median(values)
        print(f"{name}: {middle:.3g} {unit} ({min(values):.3g} to {max(values):.3g} of {len(values)}; reach {reach})")
    result = {
        "machine": {"cpu": processor(), "cores": os.cpu_count()},
        "conditions": {"started": started, "load_before": before, "load_after": os.getloadavg()[0]},
        "logs": [{"rows": bench.events()[0]}],
        "measures": measures,
    }
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    if not 6 <= len(sys.argv) <= 7 or sys.argv[2] not in ROWS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
