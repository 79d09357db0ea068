// An application that keeps its data in maps, and backs them up.
import { Repository } from "./strongroom.js";
import { MapSource } from "./store.js";

const accounts = new Map(Array.from({ length: 10_000 }, (_, i) => [`account-${i}`, `${100 + i}`]));
const notes = new Map([["greeting", "hello"], [new Uint8Array([0, 255]), new Uint8Array([1, 2, 3])]]);

const repository = new Repository("backups");
const tell = ({ name, id, entries, bytesAdded }) =>
  console.log(`${name}  ${id.slice(0, 8)}  ${entries} entries  added ${bytesAdded} bytes`);

tell(repository.backup(new MapSource({ accounts, notes }), { name: "first" }));
accounts.set("account-7", "0");
tell(repository.backup(new MapSource({ accounts, notes }), { name: "second" }));

const before = new Map(repository.entries("first", "accounts").map(([key, value]) => [`${key}`, `${value}`]));
console.log(`account-7 had ${before.get("account-7")} then and has ${accounts.get("account-7")} now`);
console.log(`${repository.verify().length} objects are damaged`);
