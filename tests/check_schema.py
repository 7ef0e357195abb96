"""Checks a log's schema, index and row count with CPython's sqlite3, as its live writer opens it."""

import sqlite3
import sys

COLUMNS = [
    ("id", "INTEGER", 0, 1),
    ("created_at", "INTEGER", 1, 0),
    ("actor_id", "INTEGER", 1, 0),
    ("action", "TEXT", 1, 0),
    ("resource_type", "TEXT", 1, 0),
    ("resource_id", "TEXT", 1, 0),
    ("payload_offset", "INTEGER", 1, 0),
    ("payload_len", "INTEGER", 1, 0),
]


def main(path):
    log = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    one = lambda sql: log.execute(sql).fetchone()[0]
    columns = [
        (name, kind, notnull, key)
        for _, name, kind, notnull, _, key in log.execute("PRAGMA table_info(audit_events)")
    ]
    facts = {
        "columns": columns == COLUMNS,
        "AUTOINCREMENT": "AUTOINCREMENT" in one("SELECT sql FROM sqlite_master WHERE name = 'audit_events'"),
        "index on created_at": [row[2] for row in log.execute("PRAGMA index_info(idx_created_at)")] == ["created_at"],
        "rollback journal": one("PRAGMA journal_mode") == "delete",
        "4096-byte pages": one("PRAGMA page_size") == 4096,
        "UTF-8": one("PRAGMA encoding") == "UTF-8",
        "50,000 rows": one("SELECT count(*) FROM audit_events") == 50_000,
        "integrity": one("PRAGMA integrity_check") == "ok",
    }
    for fact, holds in facts.items():
        print(f"{'ok' if holds else 'WRONG'}: {fact}")
    return 0 if all(facts.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
