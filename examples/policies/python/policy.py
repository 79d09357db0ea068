"""Refuses a new snapshot in which a table is empty that must not be, or that is much smaller than the ones before it.

Settings: not-empty=TABLE, any number of them; smallest=PERCENT of the median size of the last ten snapshots (80).
"""

from statistics import median

from componentize_py_types import Err
from wit_world.exports import admit


class Admit:
    def admit(self, settings, candidate):
        entries = {table.name: table.entries for table in candidate.tables}
        smallest = 80
        for name, value in settings:
            if name == "not-empty":
                if entries.get(value, 0) == 0:
                    return admit.Verdict(False, f"table {value} is empty or missing")
            elif name == "smallest" and value.isdigit():
                smallest = int(value)
            else:
                # An error publishes the snapshot and is shown to whoever runs the policy.
                raise Err(f"setting {name}={value} makes no sense")
        sizes = [snapshot.bytes for snapshot in candidate.earlier[-10:]]
        if sizes and candidate.new.bytes * 100 < median(sizes) * smallest:
            size = f"{candidate.new.bytes} bytes, where {median(sizes):.0f} are usual"
            return admit.Verdict(False, f"it is smaller than {smallest} % of what is usual: {size}")
        return admit.Verdict(True, "it has about the usual size")
