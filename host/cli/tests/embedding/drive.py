"""What the test asks of the example: `drive.py backup NAME VERSION`, `... throw`. Answers with lines of JSON."""

import json
import os
import sqlite3
import sys

from sqlite_source import SqliteSource
from strongroom import Repository, StrongroomError


def fill(path, version):
    """The same data in every language; of `version` 1 a little else."""
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path)
    for name in ("blobs", "accounts", "empty"):
        db.execute(f"CREATE TABLE {name} (key PRIMARY KEY, value)")
    # Text, which SQLite sorts as it likes.
    accounts = [(f"account-{i}", f"{i * i + (version if i == 7 else 0)}") for i in range(2000)]
    db.executemany("INSERT INTO accounts VALUES (?, ?)", accounts)
    blobs = [(bytes([255 - i, i]), bytes((i + j) % 256 for j in range(i * 37 % 500))) for i in range(100)]
    db.executemany("INSERT INTO blobs VALUES (?, ?)", blobs + [("large", bytes([7]) * 300_000)])
    db.commit()
    db.close()


class Throws:
    """Gives some of its entries, and fails."""

    def tables(self):
        yield "accounts", 1000, 100_000

    def entries(self, table):
        for i in range(500):
            yield b"%05d" % i, bytes([i % 256]) * 100
        raise OSError("the source is gone")


verb, name, version = (sys.argv[1:] + ["", ""])[:3]
try:
    repository = Repository("backups")
    if verb == "throw":
        repository.backup(Throws(), name=name)
    fill("app.sqlite", int(version))
    with SqliteSource("app.sqlite") as source:
        snapshot = repository.backup(source, name=name)
    read = dict(repository.entries(name, "accounts"))[b"account-7"].decode()
    answer = {"id": snapshot.id, "entries": snapshot.entries, "read": read, "damaged": len(repository.verify())}
    print(json.dumps(answer))
except StrongroomError as e:
    cause = None if e.__cause__ is None else str(e.__cause__)
    print(json.dumps({"code": e.code, "message": str(e), "cause": cause}))
