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

# Nothing is put beside the sources.
sys.dont_write_bytecode = True

from history_changes import CHANGES, journal_mode  # noqa: E402
from history_log import COLUMNS, INDEX, TABLE, Log, WriterFailed  # noqa: E402


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
