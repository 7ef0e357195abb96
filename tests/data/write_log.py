"""Writes a log to the paging contract with CPython's sqlite3 and json alone, and answers requests over it.

    write_log.py odd FOLDER     a log of odd values, and on standard output the right answers over it
    write_log.py ties FOLDER    a log whose seconds are shared by several events
    write_log.py rows FOLDER    prints the SHA-256 of a log's rows, and what SQLite says of the file
"""

import hashlib
import json
import os
import random
import sqlite3
import sys

SCHEMA = """
CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    payload_offset INTEGER NOT NULL,
    payload_len INTEGER NOT NULL
);
CREATE INDEX idx_created_at ON audit_events (created_at);
"""
COLUMNS = "id, created_at, actor_id, action, resource_type, resource_id"
LARGEST, SMALLEST = 2**63 - 1, -(2**63)
ACTIONS = ["LOGIN", "it's \"quoted\"", "löschen ✓ 漢字 🔑", "", "%_\\", "tab\tand\nnewline", "login", "LOGIN "]
ACTORS = [0, 1, -7, 2**53 + 1, LARGEST, SMALLEST]
TIMES = [SMALLEST, SMALLEST + 1, -1, 0, 1, 1767052800, 2**53 + 1, LARGEST - 1, LARGEST]


def write(folder, events):
    os.makedirs(folder)
    database = sqlite3.connect(os.path.join(folder, "audit.db"))
    database.executescript(SCHEMA)
    with open(os.path.join(folder, "payloads.jsonl"), "wb") as payloads:
        for created_at, actor_id, action, resource_type, resource_id, payload in events:
            line = (payload + "\n").encode()
            database.execute(
                "INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id,"
                " payload_offset, payload_len) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (created_at, actor_id, action, resource_type, resource_id, payloads.tell(), len(line)),
            )
            payloads.write(line)
    database.commit()
    database.close()


def odd_events():
    draw = random.Random(7)
    for number in range(1500):
        value = {
            "quoted \" ' \\": draw.choice(ACTIONS),
            "числа": [LARGEST, SMALLEST, 2**64, 1e300, -0.0, 0.1, None, True, {}],
            "nested": {"": [[], "\u0000\u2028", "🔑"]},
            "n": number,
        }
        yield (
            draw.choice(TIMES) if draw.random() < 0.5 else draw.randint(-300, 300),
            draw.choice(ACTORS),
            draw.choice(ACTIONS),
            draw.choice(["ORDER", "Ü \"", ""]),
            "Ü'-" + str(draw.choice(ACTORS)),
            # As the live system prints them, and as another writer might.
            json.dumps(value) if number % 2 else json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        )


def tied_events():
    draw = random.Random(11)
    for number in range(2000):
        kind = draw.choice(["ORDER", "USER"])
        action = draw.choice(["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"])
        created_at = 1767000000 + draw.randint(0, 1200)
        yield (created_at, draw.randint(1, 12), action, kind, f"{kind}-{number}", json.dumps({"n": number}))


def requests():
    draw = random.Random(9)
    windows = [(SMALLEST, LARGEST)] * 4 + [(-300, 300), (0, 0), (LARGEST, LARGEST), (SMALLEST, SMALLEST), (5, 4)]
    for _ in range(400):
        from_ts, to_ts = draw.choice(windows)
        yield {
            "from_ts": from_ts,
            "to_ts": to_ts,
            "actor_id": draw.choice([None, None, *ACTORS, 2]),
            "action": draw.choice([None, None, None, *ACTIONS, "Login", "unknown"]),
            "page": draw.choice([1, 1, 2, 3, 7, 2000, 2**32]),
            "page_size": draw.choice([1, 10, 20, 50, 999]),
        }


def answer(folder, database, query):
    """The contract's SQL, and the digest that its answers are checked by."""
    conditions, values = ["created_at BETWEEN ? AND ?"], [query["from_ts"], query["to_ts"]]
    for column in ("actor_id", "action"):
        if query[column] is not None:
            conditions.append(f"{column} = ?")
            values.append(query[column])
    rows = database.execute(
        f"SELECT {COLUMNS}, payload_offset, payload_len FROM audit_events WHERE {' AND '.join(conditions)}"
        " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*values, query["page_size"], (query["page"] - 1) * query["page_size"]),
    ).fetchall()
    digest = hashlib.sha256()
    with open(os.path.join(folder, "payloads.jsonl"), "rb") as payloads:
        for row in rows:
            payloads.seek(row[6])
            digest.update("".join(f"{column}|" for column in row[:6]).encode() + payloads.read(row[7]))
    ids = [row[0] for row in rows]
    return {"query": query, "count": len(ids), "ids": ids, "sha256": digest.hexdigest()}


def rows(folder):
    path = os.path.join(folder, "audit.db")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    digest = hashlib.sha256()
    for row in database.execute("SELECT * FROM audit_events ORDER BY id"):
        digest.update(("|".join(str(column) for column in row) + "\n").encode())
    pragmas = ["integrity_check", "journal_mode", "page_size", "encoding", "user_version"]
    facts = {name: database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
    facts["rows"] = digest.hexdigest()
    facts["objects"] = [
        name for (name,) in database.execute("SELECT name FROM sqlite_schema ORDER BY name")
    ]
    print(json.dumps(facts))


def main():
    verb, folder = sys.argv[1:]
    if verb == "rows":
        rows(folder)
    elif verb == "ties":
        write(folder, tied_events())
    elif verb == "odd":
        write(folder, odd_events())
        database = sqlite3.connect(os.path.join(folder, "audit.db"))
        for query in requests():
            print(json.dumps(answer(folder, database, query)))


main()
