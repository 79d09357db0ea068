"""A plugin that prints a database as JSON Lines: one object per entry, of all tables or of those that it is told."""

import json
import struct
import sys

from wit_world import exports
from wit_world.imports import kv_store


class Run(exports.Run):
    def run(self) -> None:
        wanted = sys.argv[1:]
        store = kv_store.open("")
        for table in store.tables():
            if wanted and table.name not in wanted:
                continue
            for key, value in entries(store.scan(table.name, None, None)):
                line = {"table": table.name, "key": readable(table.key_type, key), "value": readable(table.value_type, value)}
                sys.stdout.write(json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def entries(stream):
    """Entries, out of the stream of bytes in which they travel: key-len: u32 LE, value-len: u32 LE, key, value."""
    ahead = b""
    while read := stream.read(1 << 20):
        ahead += read
        at = 0
        # An entry may be cut anywhere.
        while len(ahead) - at >= 8:
            key, value = struct.unpack_from("<II", ahead, at)
            end = at + 8 + key + value
            if len(ahead) < end:
                break
            yield ahead[at + 8 : at + 8 + key], ahead[at + 8 + key : end]
            at = end
        ahead = ahead[at:]
    if ahead:
        raise ValueError("the last entry is cut off")


def readable(stored_as: str, data: bytes):
    """Text and numbers as what they are, everything else as hexadecimal digits."""
    if stored_as == "u64" and len(data) == 8:
        return int.from_bytes(data, "little")
    if stored_as in ("&str", "String", "alloc::string::String"):
        return data.decode()
    return data.hex()
