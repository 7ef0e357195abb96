"""Every change of a history, by name. Each returns what it did, in words; None where there was nothing to do it to."""

import os

from history_log import ACTIONS, TYPES, WriterFailed


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
