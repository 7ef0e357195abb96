"""How long the live system's writer waits for its commits at 5,000,000 events: beside a plain OFFSET reader, beside
the first fill of keyset's scratch, and beside a refresh after 1,000 late events.

    tests/full/writer_waits.py FOLDER [KEYHOLE [ROWS]]

FOLDER must not exist; about 2 GB are used in it, and it is removed at the end. Exit 1 if a commit beside keyset waits
more than 25 ms longer than the longest beside the OFFSET reader, or anyone is locked out.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
if not 2 <= len(sys.argv) <= 4:
    sys.exit(__doc__)
FOLDER = os.path.abspath(sys.argv[1])
KEYHOLE = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "../../target/release/keyhole"))
ROWS = sys.argv[3] if len(sys.argv) > 3 else "5000000"
DATA = os.path.join(FOLDER, "data")
WRITER = os.path.join(HERE, "../support/live_writer.py")
ALLOWANCE_MS = 25.0
NOW = 1767052800


class Process:
    """A child that answers each line that it is given."""

    def __init__(self, *command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def hear(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"{self.child.args} ended with {self.child.wait()}")
        return json.loads(line)

    def ask(self, line):
        self.say(line)
        return self.hear()

    def end(self):
        self.child.stdin.close()
        self.child.wait()


class Writer(Process):
    def __init__(self):
        super().__init__(sys.executable, WRITER, DATA)
        self.hear()

    def append(self, events, per_commit, pause_ms):
        """The waits of the commits, in milliseconds."""
        self.say(f"append {events} {per_commit} {pause_ms}")
        waits = []
        while not (report := self.hear()).get("done"):
            if "error" in report:
                sys.exit(f"the writer failed: {report['error']}")
            waits.append(report["wait_ms"])
        return waits


def contract_requests():
    """The contract's query stream."""
    draws = random.Random(1337)
    while True:
        actor = draws.choice([None, draws.randint(1, 2000)])
        action = draws.choice([None, "UPDATE", "CREATE", "DELETE"])
        page, size = draws.randint(1, 2000), draws.choice([10, 20, 50])
        yield json.dumps({"from_ts": NOW - 7 * 86400, "to_ts": NOW, "actor_id": actor, "action": action,
                          "page": page, "page_size": size})


def reader(strategy):
    return Process(KEYHOLE, "--quiet", "--data", DATA, "page", strategy, "--queries", "-")


def beside(work):
    """The waits of ten commits a second, five events each, while the work is done; how long it took."""
    writer, waits, over = Writer(), [], threading.Event()

    def write():
        while not over.is_set():
            waits.extend(writer.append(5, 5, 100))

    thread = threading.Thread(target=write)
    thread.start()
    began = time.monotonic()
    try:
        work()
    finally:
        taken = time.monotonic() - began
        over.set()
        thread.join()
        writer.end()
    return waits, taken


def pages_for(strategy, seconds):
    process, requests, until = reader(strategy), contract_requests(), time.monotonic() + seconds
    while time.monotonic() < until:
        process.ask(next(requests))
    process.end()


def first_fill():
    shutil.rmtree(os.environ["KEYHOLE_CACHE"], ignore_errors=True)
    process = reader("keyset")
    process.ask(next(contract_requests()))
    process.end()


def meets_a_tail():
    """A conversation that will find 1,100 events uncovered at its next page, and take them in."""
    process, requests, late = reader("keyset"), contract_requests(), Writer()
    process.ask(next(requests))
    late.append(1100, 50, 0)
    late.end()

    def ask_on():
        until = time.monotonic() + 10
        while time.monotonic() < until:
            process.ask(next(requests))
        process.end()

    return ask_on


# Each makes its work ready before the writer starts.
phases = [
    ("no reader", lambda: lambda: time.sleep(15)),
    ("native-baseline, OFFSET", lambda: lambda: pages_for("native-baseline", 40)),
    ("keyset, first fill", lambda: first_fill),
    ("keyset, refresh of 1,100", meets_a_tail),
    ("keyset, pages", lambda: lambda: pages_for("keyset", 15)),
]


def measure():
    seed = [KEYHOLE, "--quiet", "seed", "--rows", ROWS, "--short-payloads", "--data", DATA]
    subprocess.run(seed, stdout=subprocess.DEVNULL, check=True)
    longest = {}
    print(f"{'beside':<26} {'commits':>8} {'median ms':>10} {'longest ms':>11} {'seconds':>8}")
    for name, make_ready in phases:
        waits, taken = beside(make_ready())
        longest[name] = max(waits)
        middle = statistics.median(waits)
        print(f"{name:<26} {len(waits):>8} {middle:>10.2f} {max(waits):>11.2f} {taken:>8.1f}", flush=True)
    bound = longest["native-baseline, OFFSET"] + ALLOWANCE_MS
    over = [name for name in longest if name.startswith("keyset") and longest[name] > bound]
    for name in over:
        print(f"beside {name} a commit waited longer than {bound:.1f} ms")
    return int(bool(over))


os.mkdir(FOLDER)
for place in ("cache", "state"):
    os.environ[f"KEYHOLE_{place.upper()}"] = os.path.join(FOLDER, place)
os.environ["TMPDIR"] = FOLDER
try:
    sys.exit(measure())
finally:
    shutil.rmtree(FOLDER)
