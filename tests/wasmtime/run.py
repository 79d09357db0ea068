"""`wasmtime run` as far as the tests need it, with the runtime from PyPI: --dir DIR... FILE ARGS...

With READ_ONLY set, the directories that it names are granted for reading only, which the wasmtime command cannot do.
"""

import os
import sys

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime.component import Component, Linker

RUN = "wasi:cli/run@0.2.12"


def main(args):
    wasi = WasiConfig()
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    read_only = os.environ.get("READ_ONLY", "").split(":")
    while args[0] == "--dir":
        wasi.preopen_dir(args[1], args[1], args[1] not in read_only)
        args = args[2:]
    wasi.argv = args
    config = Config()
    config.cache = True
    engine = Engine(config)
    component = Component.from_file(engine, args[0])
    store = Store(engine)
    store.set_wasi(wasi)
    linker = Linker(engine)
    linker.add_wasip2()
    instance = linker.instantiate(store, component)
    run = instance.get_func(store, instance.get_export_index(store, "run", instance.get_export_index(store, RUN)))
    try:
        run(store)
    except WasmtimeError as error:
        sys.exit(getattr(error, "code", None) or getattr(error, "exit_code", None) or fail(error))


def fail(error):
    print(error, file=sys.stderr)
    return 134


main(sys.argv[1:])
