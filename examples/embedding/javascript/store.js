// What the engine sees of a source: strongroom:kv/kv-store@0.1.0, as wit/deps/kv/kv-store.wit says.
//
// A source has two methods. `tables()` gives an object for each table, with `name`, `entries` (how many) and
// `bytes` (about how many). `entries(name)` gives the table's entries as pairs of Uint8Array, sorted by the bytes of the
// keys, each key once. A third one is optional: `notes()`, pairs of texts about this moment, of which the one named
// "left-behind" says what the source has and no backup of it. All calls between the beginning and the end of a backup must show the same moment.
//
// Tables of bytes have an identity of their own; with it, and with this template, a backup restores into redb.

const utf8 = new TextEncoder();
const TEMPLATE = utf8.encode("strongroom tables of bytes\x01");
const BYTES = "i\0\x05\0\0\0&[u8]";
const IDENTITY = utf8.encode(`\x01${BYTES}${BYTES}`);

/** Bytes that come in order; `pieces` are Uint8Arrays. */
export class Bytes {
  #pieces;
  #piece = new Uint8Array();
  #guard;

  constructor(pieces, guard = (act) => act()) {
    this.#pieces = pieces[Symbol.iterator]();
    this.#guard = guard;
  }

  read(max) {
    return this.#guard(() => {
      const out = new Uint8Array(Math.min(max, 1 << 20));
      let at = 0;
      while (at < out.length) {
        if (this.#piece.length === 0) {
          const { done, value } = this.#pieces.next();
          if (done) break;
          this.#piece = value;
        }
        const taken = this.#piece.subarray(0, out.length - at);
        out.set(taken, at);
        at += taken.length;
        this.#piece = this.#piece.subarray(taken.length);
      }
      return out.subarray(0, at);
    });
  }
}

/** This store cannot tell what changed; the engine then reads all, and writes what is new. */
export class Changes {}

export class Store {
  /** What the source threw, if it did. */
  failure;
  #source;

  constructor(source) {
    this.#source = source;
  }

  tables() {
    return this.#guard("listing the tables", () => {
      const tables = [...this.#source.tables()].map(({ name, entries, bytes }) => ({
        name,
        multimap: false,
        entries: BigInt(entries),
        bytesAbout: BigInt(bytes),
        keyType: "&[u8]",
        valueType: "&[u8]",
        identity: IDENTITY,
      }));
      return tables.sort((a, b) => Buffer.compare(utf8.encode(a.name), utf8.encode(b.name)));
    });
  }

  template() {
    return new Bytes([TEMPLATE]);
  }

  notes() {
    return this.#guard("the notes", () => [...(this.#source.notes?.() ?? [])]);
  }

  position(at) {
    const found = this.#guard(`the position ${at}`, () => this.#source.position?.(at));
    if (found === undefined) throw { code: "not-found", message: `the store has no position ${at}` };
    return BigInt(found);
  }

  split() {
    return [];
  }

  scan(table) {
    const guard = (act) => this.#guard(`reading table ${table}`, act);
    return guard(() => new Bytes(packed(this.#source.entries(table)), guard));
  }

  stamp() {}
  baseline() {}
  changes() {}

  /** What is thrown here ends the run: an error that the engine understands, and what it was for whoever called. */
  #guard(doing, act) {
    try {
      return act();
    } catch (e) {
      this.failure ??= e;
      throw { code: "other", message: `${doing}: ${e?.message ?? e}` };
    }
  }
}

/** An entry is key-len: u32 LE, value-len: u32 LE, key, value. */
function* packed(entries) {
  for (const [key, value] of entries) {
    const lengths = new DataView(new ArrayBuffer(8));
    lengths.setUint32(0, key.length, true);
    lengths.setUint32(4, value.length, true);
    yield new Uint8Array(lengths.buffer);
    yield key;
    yield value;
  }
}

/** The entries in what `read` gives, piece by piece, cut anywhere. */
export function* unpack(read) {
  let left = Buffer.alloc(0);
  for (let piece = read(); piece.length > 0; piece = read()) {
    left = Buffer.concat([left, piece]);
    let at = 0;
    while (left.length - at >= 8) {
      const value = at + 8 + left.readUInt32LE(at);
      const end = value + left.readUInt32LE(at + 4);
      if (end > left.length) break;
      yield [left.subarray(at + 8, value), left.subarray(value, end)];
      at = end;
    }
    left = left.subarray(at);
  }
}

/** Maps as a source: `{ accounts: map, ... }`. Keys and values are strings or Uint8Arrays. */
export class MapSource {
  #maps;

  constructor(maps) {
    // A sorted copy: one moment, whatever becomes of the maps afterwards.
    this.#maps = new Map(Object.entries(maps).map(([name, map]) => [name, sorted(name, map)]));
  }

  *tables() {
    for (const [name, entries] of this.#maps) {
      const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
      yield { name, entries: entries.length, bytes };
    }
  }

  entries(name) {
    return this.#maps.get(name);
  }

  notes() {
    return [["left-behind", "the order of the map, and which keys and values were text"]];
  }
}

function sorted(name, map) {
  const entries = [...map].map(([key, value]) => [bytes(name, key), bytes(name, value)]);
  entries.sort(([a], [b]) => Buffer.compare(a, b));
  const twice = entries.some(([key], i) => i > 0 && Buffer.compare(entries[i - 1][0], key) === 0);
  if (twice) throw new TypeError(`map ${name} has a key twice: as text and as the same bytes`);
  return entries;
}

function bytes(name, value) {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string" && value.isWellFormed()) return utf8.encode(value);
  throw new TypeError(`map ${name} holds what is neither text nor a Uint8Array: ${String(value)}`);
}
