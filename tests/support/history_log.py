"""A log as an ordinary writer has it, for histories: statements that are timed, events, files."""

import json
import os
import shutil
import sqlite3
import time

TABLE = """CREATE TABLE audit_events (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at INTEGER NOT NULL,
    actor_id INTEGER NOT NULL, action TEXT NOT NULL, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL,
    payload_offset INTEGER NOT NULL, payload_len INTEGER NOT NULL)"""
INDEX = "CREATE INDEX idx_created_at ON audit_events (created_at)"
COLUMNS = "id, created_at, actor_id, action, resource_type, resource_id, payload_offset, payload_len"
ACTIONS = ["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"]
TYPES = ["ORDER", "USER", "PRODUCT", "INVOICE", "WAREHOUSE"]
FIRST = 1_700_000_000
SIDE_FILES = ["-wal", "-shm", "-journal"]


class WriterFailed(Exception):
    """What an ordinary writer would have died of."""


def waited():
    """Nanoseconds that this process has been on a processor or in line for one: waiting for neither lock nor disk."""
    try:
        with open("/proc/self/schedstat") as file:
            on, in_line = file.read().split()[:2]
        return int(on) + int(in_line)
    except OSError:
        return 0


class Log:
    def __init__(self, folder, timeout):
        self.folder, self.timeout = folder, timeout
        self.database, self.payloads = (os.path.join(folder, name) for name in ("audit.db", "payloads.jsonl"))
        # Beside the folder: nothing is put into it that the live system would not.
        self.kept = folder + ".kept"
        self.mode, self.db, self.lines, self.longest_ms = "delete", None, 0, 0.0

    # Statements, each as an ordinary writer sends it.

    def open(self):
        if self.db is None:
            self.db = sqlite3.connect(self.database, timeout=self.timeout, isolation_level=None)
            self.db.execute("PRAGMA synchronous = OFF")
            found = self.db.execute("PRAGMA journal_mode").fetchone()[0]
            if found == "wal":
                self.mode = found
            elif self.mode == "wal":
                self.mode = found
            else:
                self.db.execute(f"PRAGMA journal_mode = {self.mode}")
        return self.db

    def close(self):
        if self.db is not None:
            self.db.close()
            self.db = None

    def run(self, sql, *values):
        """Runs a statement; how long it waited, but for processors, counts."""
        db = self.open()
        began, busy = time.perf_counter(), waited()
        try:
            rows = db.execute(sql, values).fetchall()
        except sqlite3.IntegrityError:
            return []
        except sqlite3.Error as error:
            raise WriterFailed(f"{error}, in: {sql}") from error
        took = (time.perf_counter() - began) * 1e3 - (waited() - busy) / 1e6
        self.longest_ms = max(self.longest_ms, took)
        return rows

    def one(self, sql, *values):
        rows = self.run(sql, *values)
        return rows[0] if rows else None

    # Picking.

    def count(self):
        return self.one("SELECT count(*) FROM audit_events")[0]

    def largest(self):
        return self.one("SELECT coalesce(max(id), 0) FROM audit_events")[0]

    def pick(self, number):
        """The id of one of the events, None where there is none."""
        count = self.count()
        if count == 0:
            return None
        return self.one("SELECT id FROM audit_events ORDER BY id LIMIT 1 OFFSET ?", number % count)[0]

    def two(self, a, b):
        """Two different events."""
        count = self.count()
        if count < 2:
            return None
        one = a % count
        other = (one + 1 + b % (count - 1)) % count
        return self.pick(one), self.pick(other)

    def free(self, number):
        """An id below the largest that no event has."""
        used = {row[0] for row in self.run("SELECT id FROM audit_events")}
        gaps = [id for id in range(1, max(used, default=0)) if id not in used]
        return gaps[number % len(gaps)] if gaps else None

    # Lines and events.

    def line(self, note):
        """Appends a payload's line: where it lies."""
        self.lines += 1
        line = json.dumps({"line": self.lines, "note": note}).encode() + b"\n"
        with open(self.payloads, "ab") as file:
            at = file.tell()
            if at > 0:
                with open(self.payloads, "rb") as there:
                    there.seek(at - 1)
                    if there.read(1) != b"\n":
                        file.write(b"\n")
                        at += 1
            file.write(line)
        return at, len(line)

    def insert(self, a, b, id=None):
        """An event whose time is new, tied, or late."""
        newest, oldest = self.one("SELECT coalesce(max(created_at), ?), coalesce(min(created_at), ?) FROM audit_events",
                                  FIRST, FIRST)
        time = {0: newest + 1, 1: newest, 2: newest + 60}.get(b % 4, oldest + a % (newest - oldest + 1))
        at, length = self.line("n" * (b % 30))
        values = (id, time, a % 7 + 1, ACTIONS[a % 6], TYPES[b % 5], f"R-{a % 1000}", at, length)
        self.run(f"INSERT INTO audit_events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)

    # Files.

    def settle(self):
        """Ends the writer, as whoever changes its files does: nothing but the database is left of it."""
        self.recover()
        for ending in SIDE_FILES:
            if os.path.exists(self.database + ending):
                os.unlink(self.database + ending)

    def recover(self):
        """Ends the writer; one that was killed before has its commits, and nothing else."""
        self.count()
        self.close()

    def keep(self):
        self.recover()
        os.makedirs(self.kept, exist_ok=True)
        for path in (self.database, self.payloads):
            shutil.copyfile(path, os.path.join(self.kept, os.path.basename(path)))
        wal = self.database + "-wal"
        if os.path.exists(wal) and os.path.getsize(wal):
            # Somebody else has it open, so that its end did not empty it.
            kept = os.path.join(self.kept, "audit.db")
            shutil.copyfile(wal, kept + "-wal")
            sqlite3.connect(kept).close()

    def put(self, source, path, renamed):
        """Puts a file's bytes where another file is: into it, or in its place."""
        with open(source, "rb") as file:
            bytes = file.read()
        self.write(path, bytes, renamed)

    def write(self, path, bytes, renamed):
        if not renamed:
            with open(path, "r+b") as file:
                file.write(bytes)
                file.truncate()
            return
        aside = self.folder + ".aside"
        with open(aside, "wb") as file:
            file.write(bytes)
        status = os.stat(path)
        os.chmod(aside, status.st_mode & 0o7777)
        os.chown(aside, status.st_uid, status.st_gid)
        os.rename(aside, path)

    def content(self):
        with open(self.payloads, "rb") as file:
            return file.read()
