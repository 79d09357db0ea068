"""An application that keeps its data in SQLite, and backs it up."""

import sqlite3

from sqlite_source import SqliteSource
from strongroom import Repository

db = sqlite3.connect("app.sqlite")
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE IF NOT EXISTS accounts (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
db.execute("CREATE TABLE IF NOT EXISTS notes (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
rows = [(b"account-%d" % i, b"%d" % (100 + i)) for i in range(2_000)]
db.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?)", rows)
db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (b"greeting", b"hello"))
db.commit()

repository = Repository("backups")


def backup(name):
    with SqliteSource("app.sqlite") as source:
        snapshot = repository.backup(source, name=name)
    added = getattr(snapshot, "bytes-added")
    print(f"{snapshot.name}  {snapshot.id[:8]}  {snapshot.entries} entries  added {added} bytes")


backup("first")
db.execute("UPDATE accounts SET value = ? WHERE key = ?", (b"0", b"account-7"))
db.commit()
backup("second")

before = dict(repository.entries("first", "accounts"))
print(f"account-7 had {before[b'account-7'].decode()} then and has 0 now")
print(f"{len(repository.verify())} objects are damaged")
