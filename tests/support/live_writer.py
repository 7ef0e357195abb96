"""The live system's writer: CPython's sqlite3 with its default timeout of five seconds.

Takes orders as lines on standard input and reports each commit as one line of JSON. A payload line
is complete in its file before its row is committed. A third of the events are late.
"""

import json
import os
import random
import sqlite3
import sys
import time

ACTIONS = ["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"]
INSERT = """INSERT INTO audit_events (id, created_at, actor_id, action, resource_type, resource_id,
            payload_offset, payload_len) VALUES (?, ?, ?, ?, 'ORDER', ?, ?, ?)"""


def say(report):
    print(json.dumps(report), flush=True)


class Writer:
    def __init__(self, folder):
        self.path = os.path.join(folder, "audit.db")
        self.db = sqlite3.connect(self.path)
        self.payloads = open(os.path.join(folder, "payloads.jsonl"), "ab")
        self.offset = os.path.getsize(os.path.join(folder, "payloads.jsonl"))
        self.random = random.Random(7)
        lowest, highest = self.db.execute("SELECT min(created_at), max(created_at) FROM audit_events").fetchone()
        self.oldest = 1_000_000 if lowest is None else lowest
        self.now = self.oldest if highest is None else highest

    def insert(self, id=None, created_at=None):
        if created_at is None:
            self.now += self.random.randint(0, 1)
            late = self.random.randrange(3) == 0
            created_at = self.random.randint(self.oldest, self.now) if late else self.now
        actor, action = self.random.randint(1, 2000), self.random.choice(ACTIONS)
        line = json.dumps({"appended": self.random.randrange(10**6), "note": "é\n"}).encode() + b"\n"
        self.payloads.write(line)
        row = (id, created_at, actor, action, "ORDER-%d" % self.random.randrange(10**6), self.offset, len(line))
        made = self.db.execute(INSERT, row).lastrowid
        self.offset += len(line)
        return [created_at, made, actor, action]

    def commit(self, events):
        self.payloads.flush()
        began = time.perf_counter()
        self.db.commit()
        say({"wait_ms": (time.perf_counter() - began) * 1000, "events": events})

    def append(self, events, per_commit, pause_ms):
        """Appends so many events, so many to a commit, with a pause after each commit."""
        left = int(events)
        while left > 0:
            count = min(left, int(per_commit))
            self.commit([self.insert() for _ in range(count)])
            left -= count
            time.sleep(float(pause_ms) / 1000)

    def insert_at(self, id, created_at):
        self.commit([self.insert(int(id), int(created_at))])

    def mode(self, name):
        """Changes the journal mode. Nobody else's lock may stand in its way."""
        found = self.db.execute("PRAGMA journal_mode=" + name).fetchone()[0]
        if found != name:
            raise RuntimeError("journal mode " + found)

    def pragma(self, text):
        self.db.execute("PRAGMA " + text).fetchall()

    def checkpoint(self, kind):
        """Writes the whole -wal into the database; fails where a reader does not let it within five seconds."""
        blocked = self.db.execute("PRAGMA wal_checkpoint(" + kind + ")").fetchone()[0]
        if blocked:
            raise RuntimeError("the checkpoint is blocked")

    def reopen(self):
        """Closes the database and opens it anew, as a program does that keeps nothing open."""
        self.close()
        self.db = sqlite3.connect(self.path)

    def close(self):
        self.db.close()

    def lock(self, seconds):
        """Holds the lock that shuts all readers out."""
        self.db.execute("BEGIN EXCLUSIVE")
        say({"locked": True})
        time.sleep(float(seconds))
        self.db.rollback()

    def spill(self):
        """Stands in mid-commit: part of a transaction is in the database file, its journal beside it."""
        self.db.execute("PRAGMA cache_size = 5")
        self.db.execute("BEGIN IMMEDIATE")
        for _ in range(20_000):
            self.insert()
        say({"spilled": True})
        time.sleep(600)


writer = Writer(sys.argv[1])
say({"ready": True})
for order in sys.stdin:
    verb, *words = order.split()
    try:
        verbs = {"append": writer.append, "insert": writer.insert_at, "lock": writer.lock, "spill": writer.spill}
        verbs |= {"mode": writer.mode, "pragma": writer.pragma, "checkpoint": writer.checkpoint}
        verbs |= {"reopen": writer.reopen, "close": writer.close}
        verbs[verb](*words)
        say({"done": True})
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
