// Makes policy.wasm. All features of the runtime are off, or the component would import WASI, and a policy imports nothing.
import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const wit = process.env.STRONGROOM_WIT ?? new URL("../../../wit/deps/policy", import.meta.url).pathname;
const { component } = await componentize(await readFile("policy.js", "utf8"), {
  witPath: wit,
  worldName: "retainer",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile("policy.wasm", component);
console.log(`policy.wasm: ${(component.length / 1e6).toFixed(1)} MB`);
