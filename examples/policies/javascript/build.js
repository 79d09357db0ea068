// Makes policy.wasm. All features of the runtime are off, or the component would import WASI, and a policy imports nothing.
import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const wit = process.env.STRONGROOM_WIT ?? new URL("../../../wit/deps/policy", import.meta.url).pathname;
// What is left of them would give the moment and the numbers of the build for ever: a policy that uses them is to fail.
const without = "delete globalThis.Date; delete Math.random;\n";
const { component } = await componentize(without + (await readFile("policy.js", "utf8")), {
  witPath: wit,
  worldName: "retainer",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile("policy.wasm", component);
console.log(`policy.wasm: ${(component.length / 1e6).toFixed(1)} MB`);
