"""The live system and its operator, for histories: CPython's sqlite3 and the file system.

One process of it changes a log and says what its pages hold. Another lists the log's folder: closing a file drops
the locks that SQLite holds on it in the same process. One order a line on standard input, one reply a line on standard output, both JSON. A change is drawn before the log
is known: its numbers `a` and `b` pick among what is there, so that a history from which others are left out can be
played too.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import sys
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


# Changes. Each returns what it did, in words; None where there was nothing to do it to.

def append(log, a, b, some=None):
    some = a % 4 + 1 if some is None else some
    for number in range(some):
        log.insert(a + 7 * number, b + number)
    return f"INSERT {some} new events"


def append_many(log, a, b):
    return append(log, a, b, 150)


def append_with_gap(log, a, b):
    id = log.largest() + 2 + b % 50
    log.insert(a, b, id)
    return f"INSERT event {id}, which leaves a gap"


def insert_between(log, a, b):
    id = log.free(a)
    if id is None:
        return None
    log.insert(a, b, id)
    return f"INSERT event {id}, below the largest"


def delete(log, id):
    if id is None:
        return None
    log.run("DELETE FROM audit_events WHERE id = ?", id)
    return f"DELETE event {id}"


def delete_range(log, a, b):
    first = log.pick(a)
    if first is None:
        return None
    log.run("DELETE FROM audit_events WHERE id BETWEEN ? AND ?", first, first + b % 10)
    return f"DELETE events {first} to {first + b % 10}"


def delete_actor(log, a, _):
    actor = a % 7 + 1
    log.run("DELETE FROM audit_events WHERE actor_id = ?", actor)
    return f"DELETE all events of actor {actor}"


def update(column, value):
    def change(log, a, b):
        id = log.pick(a)
        if id is None:
            return None
        new = value(log, id, b)
        log.run(f"UPDATE audit_events SET {column} = ? WHERE id = ?", new, id)
        return f"UPDATE event {id}: {column} = {new!r}"
    return change


def other_time(log, id, b):
    now = log.one("SELECT created_at FROM audit_events WHERE id = ?", id)[0]
    return now + [1, -1, 50, -50, 100_000, -100_000][b % 6]


def update_span(log, a, b):
    pair = log.two(a, b)
    if pair is None:
        return None
    one, other = pair
    log.run("UPDATE audit_events SET (payload_offset, payload_len) = "
            "(SELECT payload_offset, payload_len FROM audit_events WHERE id = ?) WHERE id = ?", other, one)
    return f"UPDATE event {one}: the payload of event {other}"


def correct_payload(log, a, b):
    id = log.pick(a)
    if id is None:
        return None
    at, length = log.line("corrected")
    log.run("UPDATE audit_events SET payload_offset = ?, payload_len = ? WHERE id = ?", at, length, id)
    return f"UPDATE event {id}: a payload of its own at {at}"


def update_id(log, a, b):
    id = log.pick(a)
    if id is None:
        return None
    new = log.free(b) if b % 2 else None
    new = new or log.largest() + 1 + b % 3
    log.run("UPDATE audit_events SET id = ? WHERE id = ?", new, id)
    return f"UPDATE event {id}: id = {new}"


def update_range(log, a, b):
    first = log.pick(a)
    if first is None:
        return None
    log.run("UPDATE audit_events SET actor_id = actor_id % 7 + 1, created_at = created_at + ? "
            "WHERE id BETWEEN ? AND ?", b % 3, first, first + 20)
    return f"UPDATE events {first} to {first + 20}: actor_id, created_at"


def update_nothing(log, a, _):
    log.run("UPDATE audit_events SET action = action WHERE id = ?", log.pick(a))
    return "UPDATE an event to what it is"


def swap(*columns):
    names = ", ".join(columns)

    def change(log, a, b):
        pair = log.two(a, b)
        if pair is None:
            return None
        values = [log.one(f"SELECT {names} FROM audit_events WHERE id = ?", id) for id in pair]
        for id, new in zip(pair, reversed(values)):
            settings = ", ".join(f"{column} = ?" for column in columns)
            log.run(f"UPDATE audit_events SET {settings} WHERE id = ?", *new, id)
        return f"UPDATE events {pair[0]} and {pair[1]}: {names} swapped"
    return change


def swap_ids(log, a, b):
    pair = log.two(a, b)
    if pair is None:
        return None
    for old, new in ((pair[0], -1), (pair[1], pair[0]), (-1, pair[1])):
        log.run("UPDATE audit_events SET id = ? WHERE id = ?", new, old)
    return f"UPDATE events {pair[0]} and {pair[1]}: ids swapped"


def replace_same_id(log, a, b):
    id = log.pick(a)
    if id is None:
        return None
    log.run("DELETE FROM audit_events WHERE id = ?", id)
    log.insert(a + 3, b + 1, id)
    return f"DELETE event {id}, and INSERT another of that id"


def both(*changes):
    """Several changes, of one commit."""
    def change(log, a, b):
        did = [words for words in (one(log, a, b) for one in changes) if words]
        return "; ".join(did) or None
    return change


def replace_and_append(log, a, b):
    """As many events below the largest id as before, one of them another."""
    free = log.free(b)
    if free is None:
        return None
    words = delete(log, log.pick(a))
    log.insert(a, b, free)
    return f"{words}; INSERT event {free}; {append(log, a, b)}"


def reuse_newest_id(log, a, b):
    id = log.largest()
    if id == 0:
        return None
    log.run("DELETE FROM audit_events WHERE id = ?", id)
    log.run("UPDATE sqlite_sequence SET seq = ? WHERE name = 'audit_events'", id - 1)
    log.insert(a + 3, b + 1)
    return f"DELETE event {id}, the newest, and INSERT another to which SQLite gives its id"


def rolled_back(log, a, b):
    if log.mode == "off":
        return None
    log.run("BEGIN")
    delete_range(log, a, b)
    log.insert(a, b)
    log.run("ROLLBACK")
    return "DELETE, INSERT, ROLLBACK"


def second_table(log, a, _):
    log.run("CREATE TABLE IF NOT EXISTS notes (n INTEGER)")
    log.run("INSERT INTO notes VALUES (?)", a)
    return "INSERT into a second table"


def statement(sql):
    def change(log, _a, _b):
        log.run(sql)
        return sql
    return change


def checkpoint(log, _a, _b):
    if log.mode != "wal":
        return None
    busy = log.one("PRAGMA wal_checkpoint(TRUNCATE)")[0]
    if busy:
        raise WriterFailed("a checkpoint does not come to its end: somebody reads")
    return "PRAGMA wal_checkpoint(TRUNCATE)"


def journal_mode(mode):
    def change(log, _a, _b):
        found = log.one(f"PRAGMA journal_mode = {mode}")[0]
        if found != mode:
            raise WriterFailed(f"the journal mode stays {found}, and does not become {mode}")
        log.mode = mode
        return f"PRAGMA journal_mode = {mode}"
    return change


def reopen(log, _a, _b):
    log.close()
    log.open()
    return "the writer ends, and starts anew"


def at_rest(log, _a, _b):
    log.close()
    return "the writer ends"


def killed(in_commit):
    """A writer that is killed: it has committed, or stands in the middle of a commit."""
    def change(log, a, b):
        if log.mode in ("memory", "off"):
            return None
        log.close()
        child = os.fork()
        if child == 0:
            try:
                if not in_commit or log.mode == "wal":
                    log.run("BEGIN")
                    log.insert(a, b)
                    log.run("COMMIT")
                if in_commit:
                    log.run("BEGIN")
                    log.insert(a + 1, b)
                    log.run("UPDATE audit_events SET action = 'HALF'")
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0:
            raise WriterFailed("a new writer's process failed")
        return "a writer is killed " + ("in the middle of a commit" if in_commit else "after a commit")
    return change


def keep_copy(log, _a, _b):
    log.keep()
    return "a copy is kept"


def restore(renamed, payloads=True):
    def change(log, _a, _b):
        log.settle()
        log.put(os.path.join(log.kept, "audit.db"), log.database, renamed)
        if payloads:
            log.put(os.path.join(log.kept, "payloads.jsonl"), log.payloads, renamed)
        what = "both files" if payloads else "the database"
        return f"{what} as in the copy that was kept, {'renamed into place' if renamed else 'written over'}"
    return change


def same_renamed(log, _a, _b):
    log.settle()
    log.put(log.database, log.database, True)
    return "the database is replaced by a copy of itself"


def vacuumed_into(log, _a, _b):
    aside = log.folder + ".vacuumed"
    if os.path.exists(aside):
        os.unlink(aside)
    log.run("VACUUM INTO ?", aside)
    log.settle()
    log.put(aside, log.database, True)
    return "VACUUM INTO a file that is renamed into place"


def touched(log, _a, _b):
    for path in (log.database, log.payloads):
        os.utime(path)
    return "both files' times are set"


def rotate(renamed):
    """The payload file is written anew with the lines that are still named; the spans follow in one commit."""
    def change(log, _a, _b):
        old, new, spans = log.content(), b"", []
        for id, at, length in log.run("SELECT id, payload_offset, payload_len FROM audit_events ORDER BY id"):
            line = old[at:at + length] if isinstance(at, int) and at >= 0 else b""
            line = line if line.endswith(b"\n") else b'{"lost": true}\n'
            spans.append((len(new), len(line), id))
            new += line
        if not log.db.in_transaction:
            log.run("BEGIN")
        for span in spans:
            log.run("UPDATE audit_events SET payload_offset = ?, payload_len = ? WHERE id = ?", *span)
        log.write(log.payloads, new, renamed)
        return f"the payload file is rotated, {'renamed into place' if renamed else 'written over'}, and all spans with it"
    return change


def truncate_payloads(log, a, _):
    length = os.path.getsize(log.payloads)
    cut = a % 200 % (length + 1)
    os.truncate(log.payloads, length - cut)
    return f"the payload file loses its last {cut} bytes"


def over_line(make):
    def change(log, a, _):
        id = log.pick(a)
        if id is None:
            return None
        at, length = log.one("SELECT payload_offset, payload_len FROM audit_events WHERE id = ?", id)
        if at + length > os.path.getsize(log.payloads) or length < 20:
            return None
        with open(log.payloads, "r+b") as file:
            file.seek(at)
            file.write(make(length))
        return f"the payload line of event {id} is written over"
    return change


def payload_gap(log, _a, _b):
    with open(log.payloads, "ab") as file:
        file.write(b"# between two lines\n")
    return "a line that is no event's is appended to the payload file"


def prepend(log, _a, _b):
    log.write(log.payloads, b"{}\n" + log.content(), False)
    return "the payload file is moved by three bytes"


# By name: whether it can be part of a transaction, and what it does.
CHANGES = {
    "append": (True, append),
    "append-many": (True, append_many),
    "append-with-gap": (True, append_with_gap),
    "insert-between": (True, insert_between),
    "delete": (True, lambda log, a, _: delete(log, log.pick(a))),
    "delete-oldest": (True, lambda log, _a, _b: delete(log, log.pick(0))),
    "delete-newest": (True, lambda log, _a, _b: delete(log, log.pick(-1))),
    "delete-range": (True, delete_range),
    "delete-actor": (True, delete_actor),
    "update-id": (True, update_id),
    "update-created-at": (True, update("created_at", other_time)),
    "update-actor": (True, update("actor_id", lambda _log, _id, b: b % 9 + 1)),
    "update-action": (True, update("action", lambda _log, _id, b: [*ACTIONS, "REDACTED"][b % 7])),
    "update-resource-type": (True, update("resource_type", lambda _log, _id, b: f"T{b % 9}")),
    "update-resource-id": (True, update("resource_id", lambda _log, _id, b: f"redacted-{b % 9}")),
    "update-payload-offset": (True, update(
        "payload_offset", lambda log, id, b: log.one(
            "SELECT payload_offset FROM audit_events WHERE id = ?", id)[0] + b % 5 + 1)),
    "update-payload-len": (True, update(
        "payload_len", lambda log, id, b: log.one(
            "SELECT payload_len FROM audit_events WHERE id = ?", id)[0] + [-2, -1, 1, 40][b % 4])),
    "update-payload-span": (True, update_span),
    "correct-payload": (True, correct_payload),
    "update-range": (True, update_range),
    "update-nothing": (True, update_nothing),
    "swap-created-at": (True, swap("created_at")),
    "swap-actor-and-action": (True, swap("actor_id", "action")),
    "swap-payloads": (True, swap("payload_offset", "payload_len")),
    "swap-ids": (True, swap_ids),
    "replace-same-id": (True, replace_same_id),
    "append-and-update": (True, both(append, update("actor_id", lambda _log, _id, b: b % 9 + 1))),
    "append-and-update-range": (True, both(append, update_range)),
    "append-and-swap": (True, both(append, swap("created_at"))),
    "append-and-delete": (True, both(append, lambda log, a, _: delete(log, log.pick(a)))),
    "append-and-replace": (True, replace_and_append),
    "reuse-newest-id": (True, reuse_newest_id),
    "rotate-in-place": (True, rotate(False)),
    "rotate-by-rename": (True, rotate(True)),
    "second-table": (True, second_table),
    "rolled-back": (False, rolled_back),
    "vacuum": (False, statement("VACUUM")),
    "reindex": (False, statement("REINDEX")),
    "analyze": (False, statement("ANALYZE")),
    "checkpoint": (False, checkpoint),
    **{f"journal-{mode}": (False, journal_mode(mode))
       for mode in ("delete", "truncate", "persist", "wal", "memory", "off")},
    "writer-reopens": (False, reopen),
    "writer-ends": (False, at_rest),
    "killed-after-commit": (False, killed(False)),
    "killed-in-commit": (False, killed(True)),
    "keep-copy": (False, keep_copy),
    "restore-in-place": (False, restore(False)),
    "restore-by-rename": (False, restore(True)),
    "restore-database-in-place": (False, restore(False, payloads=False)),
    "restore-database-by-rename": (False, restore(True, payloads=False)),
    "same-by-rename": (False, same_renamed),
    "vacuum-into": (False, vacuumed_into),
    "touch": (False, touched),
    "truncate-payloads": (False, truncate_payloads),
    "redact-line-in-place": (False, over_line(lambda length: b'{"redacted": "' + b"x" * (length - 17) + b'"}\n')),
    "spoil-line-in-place": (False, over_line(lambda length: b"?" * (length - 1) + b"\n")),
    "payload-gap": (False, payload_gap),
    "move-payloads": (False, prepend),
}


class Orders:
    log = None

    def make(self, folder, rows, mode, timeout):
        if self.log:
            self.log.close()
        os.makedirs(folder)
        log = self.log = Log(folder, timeout)
        open(log.payloads, "xb").close()
        log.db = sqlite3.connect(log.database, isolation_level=None)
        log.db.execute("PRAGMA synchronous = OFF")
        log.db.execute(TABLE)
        log.db.execute(INDEX)
        log.run("BEGIN")
        for number in range(rows):
            # Of ten seconds each, so that many share one.
            log.insert(number * 7919, number * 31 % 4 * 3 + 3 if number % 3 else number * 4)
        log.run("COMMIT")
        journal_mode(mode)(log, 0, 0)
        log.keep()
        log.open()
        return {}

    def change(self, changes):
        """Makes changes, those that are joined to the one before in one commit with it."""
        log, did = self.log, []
        log.longest_ms = 0.0
        for place, change in enumerate(changes):
            in_commit, run = CHANGES[change["kind"]]
            joins = log.db is not None and log.db.in_transaction
            if in_commit and not log.open().in_transaction:
                log.run("BEGIN")
            words = run(log, change["a"], change["b"]) or "nothing: there is nothing to do it to"
            did.append(words + (", in the same commit" if joins else ""))
            last = place + 1 == len(changes)
            goes_on = not last and changes[place + 1]["joined"] and CHANGES[changes[place + 1]["kind"]][0]
            if log.db is not None and log.db.in_transaction and not goes_on:
                log.run("COMMIT")
        return {"did": did, "longest_ms": log.longest_ms, "mode": log.mode, "open": log.db is not None}

    def ask(self):
        """All events in the order of a page, with their payload lines."""
        log = self.log
        rests = log.db is None
        content, shared, seen = log.content(), set(), []
        rows = log.run(f"SELECT {COLUMNS} FROM audit_events ORDER BY created_at DESC, id DESC")
        for row in sorted(rows, key=lambda row: row[6]):
            seen = [other for other in seen if other[6] + other[7] > row[6]]
            if seen:
                shared |= {row[0], *(other[0] for other in seen)}
            seen.append(row)
        events = [{
            "id": row[0], "created_at": row[1], "actor_id": row[2], "action": row[3], "resource_type": row[4],
            "resource_id": row[5], "span": [row[6], row[7]], "line": line(content, row[6], row[7]),
            "shared": row[0] in shared,
        } for row in rows]
        if rests:
            log.close()
        return {"events": events}

    def pages(self, queries):
        """The ids of pages, as the live system finds them."""
        rests = self.log.db is None
        pages = [self.live_page(**query) for query in queries]
        if rests:
            self.log.close()
        return {"pages": pages}

    def kinds(self):
        return {"kinds": [[kind, in_commit] for kind, (in_commit, _) in CHANGES.items()]}

    def live_page(self, from_ts, to_ts, actor_id, action, page, page_size):
        """The live system's query."""
        where, values = "created_at >= ? AND created_at <= ?", [from_ts, to_ts]
        for column, value in (("actor_id", actor_id), ("action", action)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(value)
        sql = f"SELECT id FROM audit_events WHERE {where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
        return [row[0] for row in self.log.run(sql, *values, page_size, (page - 1) * page_size)]

    def hold(self, folder):
        """A reader that does not let the writer commit, until the next order."""
        self.held = sqlite3.connect(os.path.join(folder, "audit.db"), isolation_level=None)
        self.held.execute("BEGIN")
        self.held.execute("SELECT count(*) FROM audit_events").fetchone()
        return {}

    def release(self):
        self.held.close()
        return {}

    def list(self, folder):
        """Every file of a folder, and the folder itself: owner, mode, size, digest, inode, time."""
        found = {".": describe(folder)}
        for name in sorted(os.listdir(folder)):
            found[name] = describe(os.path.join(folder, name))
        return {"files": found}

    def finish(self):
        """Lets go of the log, and of what lies beside it."""
        if self.log:
            self.log.close()
            shutil.rmtree(self.log.kept, ignore_errors=True)
            shutil.rmtree(self.log.folder, ignore_errors=True)
        self.log = None
        return {}


def line(content, at, length):
    """The line that a span is; None where it is not one whole line of JSON."""
    if at < 0 or length < 1 or at + length > len(content):
        return None
    bytes = content[at:at + length]
    if not bytes.endswith(b"\n") or bytes.count(b"\n") > 1 or (at > 0 and content[at - 1:at] != b"\n"):
        return None
    try:
        json.loads(bytes)
        return bytes.decode()
    except ValueError:
        return None


def describe(path):
    status = os.lstat(path)
    digest = ""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()[:16]
    owner = f"{status.st_uid}:{status.st_gid}"
    return f"owner {owner} mode {status.st_mode:o} links {status.st_nlink} inode {status.st_ino} size " \
           f"{status.st_size} sha256 {digest} mtime {status.st_mtime_ns}"


def main():
    orders = Orders()
    for text in sys.stdin:
        order = json.loads(text)
        verb = order.pop("do")
        try:
            reply = getattr(orders, verb)(**order)
        except WriterFailed as error:
            reply = {"failed": str(error)}
        except Exception as error:
            reply = {"failed": f"{type(error).__name__}: {error}", "odd": True}
        print(json.dumps(reply), flush=True)


main()
