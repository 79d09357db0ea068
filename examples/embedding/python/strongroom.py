"""Backups by Strongroom's engine, which runs in this process as a WebAssembly component: it sees the entries that it is
given and the repository's directory, and nothing else of this process.

The wasmtime package moves bytes between Python and a component one by one: expect less than 1 MB/s. Made for small
stores; a large one is better backed up from Rust or JavaScript, or by the strongroom command.
"""

import json
import os
import stat
import time
from contextlib import contextmanager

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime.component import Component, Linker, Record, ResourceHost, ResourceType, Variant

ENGINE = "strongroom:backup/engine@0.1.0"
PROGRESS = "strongroom:backup/progress@0.1.0"
KV_STORE = "strongroom:kv/kv-store@0.1.0"
KV_SINK = "strongroom:kv/kv-sink@0.1.0"

# Tables of bytes have an identity of their own; with it, and with this template, a backup restores into redb.
TEMPLATE = b"strongroom tables of bytes\x01"
IDENTITY = b"\x01" + 2 * b"i\x00\x05\x00\x00\x00&[u8]"


class StrongroomError(Exception):
    """`code` is for programs: "not-found", "locked", "damaged", ..."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Repository:
    """A directory of backups. The first backup makes it."""

    def __init__(self, directory, component="engine.wasm"):
        self.directory = os.fspath(directory)
        config = Config()
        config.cache = True
        self._engine = Engine(config)
        self._component = Component.from_file(self._engine, os.fspath(component))
        exports = self._component.type.exports(self._engine)
        if ENGINE not in exports:
            found = next((name for name in exports if name.startswith("strongroom:")), "nothing of the kind")
            raise StrongroomError(
                "unsupported",
                f"{component} is another version's engine, or none: it exports {found}, and this program calls {ENGINE}. "
                "Write it anew with a strongroom command of the same version: strongroom component engine.wasm",
            )

    def backup(self, source, name="{source}-{time}", source_name="app", position=None):
        """Backs up `source` and returns the snapshot. When this raises, earlier snapshots are as they were, and nothing new
        is there.

        A source has `tables()`, which gives (name, how many entries, about how many bytes), and `entries(table)`, which
        gives pairs of bytes, sorted by key, each key once; also `position(at)`, if it has one. All calls of one backup must
        show the same moment.
        """
        _prepare(self.directory)
        with _locked(self.directory, "a backup") as alive, self._run(source, alive) as engine:
            job = _record({
                "store": "store", "name": name, "source": source_name, "origin": None, "tables": None, "leave-out": [],
                "position": position, "time": int(time.time()), "full-scan": False, "parts": 1, "options": [],
            })
            plan = engine.call("prepare", job)
            receipts = [engine.call("copy", plan, part) for part in range(plan.parts)]
            # The commit point is `publish`; before it nothing is there.
            return engine.call("publish", engine.call("seal", plan, receipts))

    def snapshots(self):
        """All snapshots, oldest first."""
        with self._run() as engine:
            return engine.call("snapshots")[0]

    def verify(self):
        """What is damaged, all of it read and hashed: nothing, if all is well."""
        with self._run() as engine:
            return engine.call("verify", None, Variant("data")).damage

    def entries(self, snapshot, table):
        """The entries of a table in a snapshot: a name, the beginning of an id, or "latest"."""
        with self._run() as engine:
            store = engine.call("open", snapshot, interface=KV_STORE)
            scan = engine.call("[method]store.scan", store, table, None, None, interface=KV_STORE)
            packed = b""
            while piece := engine.call("[method]bytes.read", scan, 1 << 20, interface=KV_STORE):
                packed += piece
            scan.drop(engine.store)
            store.drop(engine.store)
            return list(_unpacked(packed))

    @contextmanager
    def _run(self, source=None, alive=lambda: None):
        """An instance of the engine for one run, whose new files are for their owner alone."""
        umask = os.umask(0o077)
        try:
            yield _Instance(self, _Given(source, alive))
        finally:
            os.umask(umask)


class _Instance:
    def __init__(self, repository, given):
        wasi = WasiConfig()
        wasi.preopen_dir(repository.directory, "/")
        self.store = Store(repository._engine)
        self.store.set_wasi(wasi)
        linker = Linker(repository._engine)
        linker.add_wasip2()
        given.add_to(linker)
        self._given = given
        self._instance = linker.instantiate(self.store, repository._component)

    def call(self, name, *args, interface=ENGINE):
        index = self._instance.get_export_index(self.store, interface)
        function = self._instance.get_func(self.store, self._instance.get_export_index(self.store, name, index))
        try:
            answer = function(self.store, *args)
        except WasmtimeError as e:
            raise StrongroomError("other", f"the engine stopped: {e}") from self._given.failure or e
        function.post_return(self.store)
        # A result of nothing, or an error.
        if isinstance(answer, Variant) and answer.tag in ("ok", "err"):
            answer = answer.payload
        if isinstance(answer, Record) and set(vars(answer)) == {"code", "message"}:
            raise StrongroomError(answer.code, answer.message) from self._given.failure
        return answer


class _Given:
    """What the engine imports: the store, no sink, and somebody who listens."""

    def __init__(self, source, alive):
        self.source = source
        self.alive = alive
        self.failure = None
        self._streams = {}

    def add_to(self, linker):
        with linker.root() as root:
            with root.add_instance(KV_STORE) as kv:
                self.store, self.changes, self.bytes = (ResourceType.host(n) for n in range(3))
                kv.add_resource("store", self.store, lambda store, rep: None)
                kv.add_resource("changes", self.changes, lambda store, rep: None)
                kv.add_resource("bytes", self.bytes, lambda store, rep: self._streams.pop(rep, None) and None)
                kv.add_func("open", self._function("opening the store", self._open))
                for name, function in {
                    "tables": self._tables,
                    "template": lambda store, this: self._stream(store, [TEMPLATE]),
                    # What a source has and no backup of it, say: [("left-behind", "...")].
                    "notes": lambda store, this: getattr(self.source, "notes", list)(),
                    "position": self._position,
                    "split": lambda store, this, table, parts: [],
                    "scan": lambda store, this, table, start, end: self._stream(
                        store, _packed(self.source.entries(table))
                    ),
                    # This store cannot tell what changed; the engine then reads all, and writes what is new.
                    "stamp": lambda store, this, table: None,
                    "baseline": lambda store, this, table: None,
                    "changes": lambda store, this, table, stamp: None,
                }.items():
                    kv.add_func(f"[method]store.{name}", self._method(name, function))
                kv.add_func("[method]bytes.read", self._method("read", self._read))
                for name in ("offer", "entries", "baseline"):
                    kv.add_func(f"[method]changes.{name}", _denied)
            with root.add_instance(KV_SINK) as sink:
                for number, name in enumerate(("sink", "writer"), 3):
                    sink.add_resource(name, ResourceType.host(number), lambda store, rep: None)
                for name in ("create", "[method]sink.table", "[static]sink.finish", "[method]writer.append",
                             "[static]writer.finish"):
                    sink.add_func(name, _denied)
            with root.add_instance(PROGRESS) as progress:
                progress.add_func("advance", lambda store, phase, count, entries: self.alive() is not False)
                progress.add_func("log", lambda store, level, message: None)

    def _function(self, doing, function):
        """What is raised here ends the run: an error that the engine understands, and what it was for whoever called."""
        def guarded(store, *args):
            try:
                return function(store, *args)
            except Exception as e:
                self.failure = self.failure or e
                return _record({"code": "other", "message": f"{doing}: {type(e).__name__}: {e}"})
        return guarded

    def _method(self, name, function):
        # `to_host` also gives back what was only borrowed.
        return self._function(f"the store's `{name}`", lambda store, this, *args: function(store, this.to_host(store).rep, *args))

    def _open(self, store, name):
        return _denied() if self.source is None else ResourceHost.own(0, 0).to_any(store)

    def _tables(self, store, this):
        tables = sorted(self.source.tables(), key=lambda table: table[0].encode())
        return [
            _record({
                "name": name, "multimap": False, "entries": entries, "bytes-about": size,
                "key-type": "&[u8]", "value-type": "&[u8]", "identity": IDENTITY,
            })
            for name, entries, size in tables
        ]

    def _position(self, store, this, at):
        position = getattr(self.source, "position", lambda at: None)(at)
        if position is None:
            return _record({"code": "not-found", "message": f"the store has no position {at}"})
        return position

    def _stream(self, store, pieces):
        """Bytes that come in order, and what is left of the piece at hand."""
        rep = max(self._streams, default=0) + 1
        self._streams[rep] = [iter(pieces), b""]
        return ResourceHost.own(rep, 2).to_any(store)

    def _read(self, store, rep, most):
        stream = self._streams[rep]
        while len(stream[1]) < min(most, 1 << 16) and (piece := next(stream[0], None)) is not None:
            stream[1] += piece
        read, stream[1] = stream[1][:most], stream[1][most:]
        return read


def _denied(*_):
    return _record({"code": "denied", "message": "this run was granted nothing of the kind"})


def _record(fields):
    record = Record()
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def _packed(entries):
    """An entry is key-len: u32 LE, value-len: u32 LE, key, value."""
    for key, value in entries:
        yield len(key).to_bytes(4, "little") + len(value).to_bytes(4, "little") + key + value


def _unpacked(packed):
    at = 0
    while at < len(packed):
        middle = at + 8 + int.from_bytes(packed[at:at + 4], "little")
        end = middle + int.from_bytes(packed[at + 4:at + 8], "little")
        yield packed[at + 8:middle], packed[middle:end]
        at = end


def _prepare(directory):
    """A directory for its owner alone."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.name == "posix" and stat.S_IMODE(os.stat(directory).st_mode) != 0o700:
        raise StrongroomError("denied", f"others can look into {directory}; run `chmod 700 {directory}`")


@contextmanager
def _locked(directory, doing):
    """One writer at a time, also beside the strongroom command: the same file, made only where none is."""
    path = os.path.join(directory, "lock")
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as e:
        message = f"the repository is in use: {path} is there. If the run that it names is gone, delete it"
        raise StrongroomError("locked", message) from e

    def own():
        """Whether nobody has broken the lock; whoever lost it changes nothing any more, also not the lock of another."""
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(path))
        except FileNotFoundError:
            return False

    try:
        holder = {"kind": "component", "machine": "", "pid": os.getpid(), "doing": doing, "since": int(time.time())}
        os.write(fd, (json.dumps(holder) + "\n").encode())

        def alive():
            # A component gives signs of life: the time at which the file was changed.
            os.utime(fd)
            return own()

        yield alive
    finally:
        if own():
            os.unlink(path)
        os.close(fd)
