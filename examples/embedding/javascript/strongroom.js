// Backups by Strongroom's engine, which runs in this process as a WebAssembly component: it sees the entries that it
// is given and the repository's directory, and nothing else of this process.
//
// All calls block the thread until they are done.
import {
  closeSync, fstatSync, futimesSync, lstatSync, mkdirSync, openSync, readFileSync, statSync, unlinkSync, writeSync,
} from "node:fs";
import { join } from "node:path";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import { instantiate } from "./engine/engine.js";
import { Store, Bytes, Changes, unpack } from "./store.js";

// jco names imports without their versions; build.js has looked at these.
const ENGINE = "strongroom:backup/engine@0.1.0";
const KV_STORE = "strongroom:kv/kv-store@0.1.0";

export class StrongroomError extends Error {
  /** `code` is for programs: "not-found", "locked", "damaged", ... */
  constructor(code, message, cause) {
    super(message, { cause });
    this.name = "StrongroomError";
    this.code = code;
  }
}

export class Repository {
  /** The repository in this directory. The first backup makes it. */
  constructor(dir) {
    this.dir = dir;
  }

  /**
   * Backs up `source`, which gives tables (see MapSource), and returns the snapshot. When this throws, earlier snapshots
   * are as they were, and nothing new is there.
   */
  backup(source, { name = "{source}-{time}", as = "app", position, onProgress } = {}) {
    prepare(this.dir);
    const store = new Store(source);
    return locked(this.dir, "a backup", (alive) => {
      // Without a phase it is only asked whether the lock is still this run's.
      const advance = (phase, bytes, entries) =>
        alive() && (phase === "" || (onProgress?.(phase, bytes, entries) ?? true));
      return this.#run({ open: () => store, advance, failed: () => store.failure }, ({ engine }) => {
        const time = BigInt(Math.floor(Date.now() / 1000));
        const plan = engine.prepare({
          store: "store", name, source: as, leaveOut: [], position, time, fullScan: false, parts: 1, options: [],
        });
        const receipts = [];
        for (let part = 0; part < plan.parts; part++) receipts.push(engine.copy(plan, part));
        // The commit point is `publish`; before it nothing is there.
        return engine.publish(engine.seal(plan, receipts));
      });
    });
  }

  /** All snapshots, oldest first. */
  snapshots() {
    return this.#run({}, ({ engine }) => engine.snapshots()[0]);
  }

  /** What is damaged, all of it read and hashed: nothing, if all is well. */
  verify() {
    return this.#run({}, ({ engine }) => engine.verify(undefined, { tag: "data" }).damage);
  }

  /** The entries of a table in a snapshot: pairs of bytes. `snapshot` is a name, the beginning of an id, or "latest". */
  entries(snapshot, table) {
    return this.#run({}, ({ kvStore }) => {
      const bytes = kvStore.open(snapshot).scan(table, undefined, undefined);
      return [...unpack(() => bytes.read(1 << 20))];
    });
  }

  /** Makes an instance of the engine for one run, and turns its errors into ours. */
  #run({ open = denied, advance = () => true, failed = () => undefined }, act) {
    const umask = process.umask();
    try {
      // A component cannot set permissions. In a worker thread this cannot be done; the directory is private then.
      process.umask(0o077);
    } catch {}
    try {
      return act(start(this.dir, open, advance));
    } catch (e) {
      // What the engine answered, unless it is what went wrong in this program.
      const answer = e?.payload ?? e;
      if (answer instanceof Error || answer?.code === undefined) throw e;
      throw new StrongroomError(answer.code, answer.message, failed());
    } finally {
      try {
        process.umask(umask);
      } catch {}
    }
  }
}

function denied() {
  throw { code: "denied", message: "this run was granted no store" };
}

function start(dir, open, advance) {
  const wasi = new WASIShim({ sandbox: { preopens: { "/": dir }, env: {}, args: [], enableNetwork: false } });
  const imports = wasi.getImportObject();
  const preopens = imports["wasi:filesystem/preopens"];
  // The shim cannot sync or list the directory that it was given, only one that was opened in it.
  imports["wasi:filesystem/preopens"] = {
    getDirectories: () =>
      preopens.getDirectories().map(([dir, name]) => [dir.openAt({}, ".", { directory: true }, { read: true }), name]),
  };
  imports["strongroom:kv/kv-store"] = { open, Store, Bytes, Changes };
  imports["strongroom:kv/kv-sink"] = { create: denied, Sink: class {}, Writer: class {} };
  imports["strongroom:backup/progress"] = {
    advance,
    log: (level, message) => level === "warn" && console.error(`warning: ${message}`),
  };
  const core = (path) => new WebAssembly.Module(readFileSync(new URL(`engine/${path}`, import.meta.url)));
  const root = instantiate(core, imports);
  const [engine, kvStore] = [root[ENGINE], root[KV_STORE]];
  if (!engine || !kvStore) {
    throw new Error(`engine/ is of another version: it does not export ${ENGINE}. Run \`npm run build\` again`);
  }
  return { engine, kvStore };
}

/** A directory for its owner alone. */
function prepare(dir) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const mode = statSync(dir).mode & 0o777;
  if (process.platform !== "win32" && mode !== 0o700) {
    throw new StrongroomError("denied", `others can look into ${dir}; run \`chmod 700 ${dir}\``);
  }
}

/** One writer at a time, also beside the strongroom command: the same file, made only where none is. */
function locked(dir, doing, act) {
  const path = join(dir, "lock");
  let fd;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (e) {
    if (e.code !== "EEXIST") throw e;
    const message = `the repository is in use: ${path} is there. If the run that it names is gone, delete it`;
    throw new StrongroomError("locked", message, e);
  }
  // Somebody may have broken the lock: whoever lost it changes nothing any more, also not the lock of another.
  const own = () => {
    const [open, there] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })];
    return open.ino === there?.ino && open.dev === there?.dev;
  };
  try {
    const since = Math.floor(Date.now() / 1000);
    // A component gives signs of life: the time at which the file was changed.
    writeSync(fd, JSON.stringify({ kind: "component", machine: "", pid: process.pid, doing, since }) + "\n");
    return act(() => (futimesSync(fd, new Date(), new Date()), own()));
  } finally {
    if (own()) unlinkSync(path);
    closeSync(fd);
  }
}
