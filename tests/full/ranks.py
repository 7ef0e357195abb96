"""Turns a rank into a place in four ways, and takes in late arrivals: what each costs at the same keys.

The keys are those of one series: (created_at, id) in a WITHOUT ROWID table, read newest first, in SQLite in memory so that no disk is
part of it. The ways:

    OFFSET     walks the key table to the rank
    marks      every 64th key with its rank: one search, then at most 63 keys; each late arrival moves all ranks after it
    buckets    one level of buckets of 1,000 keys with their counts, summed up from the newest
    tree       buckets of at most 64, of which the next level counts at most 64, and so on: what the keyset strategy does

A late arrival is a key at a random place. Buckets that overflow are split by the strategy; here none does, as few arrive.
Prints for each way the median of a look-up and of an arrival in microseconds, with the tenth and ninetieth percentile.
"""

import argparse
import random
import sqlite3
import statistics
import sys
import time

MARK = 64
BUCKET = 1000
FULL = 48
ARRIVALS = 20


def build(rows):
    log = sqlite3.connect(":memory:", isolation_level=None)
    log.execute("CREATE TABLE keys (t INTEGER, id INTEGER, PRIMARY KEY (t, id)) WITHOUT ROWID")
    log.execute("BEGIN")
    log.executemany("INSERT INTO keys VALUES (?, ?)", ((2 * at, at) for at in range(rows)))
    log.execute("CREATE TABLE marks (t INTEGER, id INTEGER, rank INTEGER, PRIMARY KEY (t, id)) WITHOUT ROWID")
    # Newest first: the key before which `rank` keys stand.
    log.execute(f"INSERT INTO marks SELECT t, id, ?1 - 1 - id FROM keys WHERE (?1 - 1 - id) % {MARK} = 0", (rows,))
    log.execute("CREATE INDEX by_rank ON marks (rank)")
    log.execute("CREATE TABLE buckets (level, t, id, n, PRIMARY KEY (level, t, id)) WITHOUT ROWID")
    log.execute(f"INSERT INTO buckets SELECT 0, min(t), min(id), count(*) FROM keys GROUP BY id / {BUCKET}")
    log.execute(f"INSERT INTO buckets SELECT 1, min(t), min(id), count(*) FROM keys GROUP BY id / {FULL}")
    height, size = 1, FULL
    while log.execute("SELECT count(*) FROM buckets WHERE level = ?", (height,)).fetchone()[0] > 64:
        size *= FULL
        height += 1
        log.execute(
            f"INSERT INTO buckets SELECT {height}, min(t), min(id), sum(n) FROM buckets WHERE level = {height - 1} GROUP BY id / {size}"
        )
    log.execute("COMMIT")
    return log, height


def after(log, key, skip):
    """The key that stands `skip` keys after this one."""
    return log.execute("SELECT t, id FROM keys WHERE (t, id) <= (?, ?) ORDER BY t DESC, id DESC LIMIT 1 OFFSET ?", (*key, skip)).fetchone()


def by_offset(log, rank, height):
    return log.execute("SELECT t, id FROM keys ORDER BY t DESC, id DESC LIMIT 1 OFFSET ?", (rank,)).fetchone()


def by_marks(log, rank, height):
    t, id, at = log.execute("SELECT t, id, rank FROM marks WHERE rank <= ? ORDER BY rank DESC LIMIT 1", (rank,)).fetchone()
    return after(log, (t, id), rank - at)


def descend(log, rank, level, high, low):
    """The newest key of the bucket in which the rank lies, and how many keys of it stand before the rank."""
    children = log.execute(
        "SELECT t, id, n FROM buckets WHERE level = ? AND (t, id) BETWEEN (?, ?) AND (?, ?) ORDER BY t DESC, id DESC",
        (level, *low, *high),
    )
    for t, id, n in children:
        if rank < n:
            return (t, id), high, rank
        rank -= n
        high = (t, id - 1)
    raise LookupError(rank)


EVERYTHING = ((-1, -1), (1 << 62, 1 << 62))


def by_buckets(log, rank, height):
    low, high = EVERYTHING
    _, high, rank = descend(log, rank, 0, high, low)
    return after(log, high, rank)


def by_tree(log, rank, height):
    low, high = EVERYTHING
    for level in range(height, 0, -1):
        low, high, rank = descend(log, rank, level, high, low)
    return after(log, high, rank)


def arrive_marks(log, key, height):
    log.execute("UPDATE marks SET rank = rank + 1 WHERE (t, id) <= (?, ?)", key)


def count(log, key, levels):
    for level in levels:
        log.execute(
            "UPDATE buckets SET n = n + 1 WHERE level = ?1 AND (t, id) = (SELECT t, id FROM buckets "
            "WHERE level = ?1 AND (t, id) <= (?2, ?3) ORDER BY t DESC, id DESC LIMIT 1)",
            (level, *key),
        )


WAYS = [
    ("OFFSET", by_offset, lambda log, key, height: None),
    ("marks", by_marks, arrive_marks),
    ("buckets", by_buckets, lambda log, key, height: count(log, key, [0])),
    ("tree", by_tree, lambda log, key, height: count(log, key, range(1, height + 1))),
]


def timed(work, inputs):
    took, answers = [], []
    for one in inputs:
        began = time.perf_counter()
        answers.append(work(one))
        took.append((time.perf_counter() - began) * 1e6)
    tenths = statistics.quantiles(took, n=10)
    return f"{statistics.median(took):,.0f} ({tenths[0]:,.0f} to {tenths[-1]:,.0f})", answers


def main(rows, lookups):
    log, height = build(rows)
    draw = random.Random(1)
    ranks = [draw.randrange(rows) for _ in range(lookups)]
    places = [draw.randrange(rows) for _ in range(ARRIVALS)]
    print(f"{rows:,} keys, a tree of {height} levels, SQLite {sqlite3.sqlite_version}\n")
    print("| way | a look-up, µs | a late arrival, µs |\n|---|---|---|")
    right = None
    for name, look, arrive in WAYS:
        figure, answers = timed(lambda rank: look(log, rank, height), ranks)
        right = right or answers
        if answers != right:
            sys.exit(f"{name} finds other places than OFFSET")
        log.execute("BEGIN")
        arrival, _ = timed(lambda at: arrive(log, (2 * at + 1, rows + at), height), places)
        log.execute("ROLLBACK")
        print(f"| {name} | {figure} | {'–' if name == 'OFFSET' else arrival} |")


def number(least):
    def parse(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return parse


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Each late arrival needs a place, and tenths need two figures.
    parser.add_argument("rows", type=number(ARRIVALS), nargs="?", default=5_000_000, metavar="ROWS")
    parser.add_argument("lookups", type=number(2), nargs="?", default=300, metavar="LOOKUPS")
    main(**vars(parser.parse_args()))
