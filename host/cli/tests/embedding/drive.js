// What the test asks of the example: `node drive.js backup NAME VERSION`, `... throw`. Answers with lines of JSON.
import { Repository, StrongroomError } from "./strongroom.js";
import { MapSource } from "./store.js";

/** The same data in every language; of `version` 1 a little else. */
function maps(version) {
  const accounts = new Map();
  for (let i = 0; i < 2000; i++) accounts.set(`account-${i}`, `${i * i + (i === 7 ? version : 0)}`);
  const blobs = new Map();
  for (let i = 0; i < 100; i++) {
    const value = Uint8Array.from({ length: (i * 37) % 500 }, (_, j) => (i + j) % 256);
    blobs.set(Uint8Array.of(255 - i, i), value);
  }
  blobs.set("large", new Uint8Array(300_000).fill(7));
  return new MapSource({ blobs, accounts, empty: new Map() });
}

/** Gives some of its entries, and fails. */
class Throws {
  *tables() {
    yield { name: "accounts", entries: 1000, bytes: 100_000 };
  }

  *entries() {
    for (let i = 0; i < 500; i++) yield [Buffer.from(String(i).padStart(5, "0")), Buffer.alloc(100, i)];
    throw new RangeError("the source is gone");
  }
}

const [verb, name, version] = process.argv.slice(2);
const repository = new Repository("backups");
try {
  const source = verb === "throw" ? new Throws() : maps(Number(version));
  const { id, entries } = repository.backup(source, { name });
  const read = repository.entries(name, "accounts").find(([key]) => `${key}` === "account-7")[1];
  console.log(JSON.stringify({ id, entries: Number(entries), read: `${read}`, damaged: repository.verify().length }));
} catch (e) {
  if (!(e instanceof StrongroomError)) throw e;
  console.log(JSON.stringify({ code: e.code, message: e.message, cause: e.cause?.message ?? null }));
}
