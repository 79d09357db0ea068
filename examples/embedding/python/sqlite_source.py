"""A SQLite database as a source: every table with a column `key` and a column `value`, both of bytes or text."""

import sqlite3


class SqliteSource:
    """One moment of the database, until it is closed. In WAL mode writers go on meanwhile."""

    def __init__(self, path):
        # A connection and a read transaction of its own.
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._db.execute("BEGIN")
        names = self._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        self._names = [name for (name,) in names if {"key", "value"} <= self._columns(name)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._db.close()

    def _columns(self, table):
        return {row[1] for row in self._db.execute(f"PRAGMA table_info({_quoted(table)})")}

    def tables(self):
        for name in self._names:
            count = "SELECT count(*), total(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB)))"
            entries, size = self._db.execute(f"{count} FROM {_quoted(name)}").fetchone()
            yield name, entries, int(size)

    def notes(self):
        left = "types of keys and values; other columns, and tables without these two; indexes, views and triggers"
        return [("left-behind", left)]

    def entries(self, table):
        # As bytes, and in the order of the bytes, whatever the columns' types and collations.
        rows = "SELECT CAST(key AS BLOB), CAST(value AS BLOB)"
        yield from self._db.execute(f"{rows} FROM {_quoted(table)} ORDER BY CAST(key AS BLOB)")


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'
