// Makes engine/, which Node.js runs, of the component that `strongroom component engine.wasm` writes.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { transpile } from "@bytecodealliance/jco-transpile";

const ENGINE = "strongroom:backup/engine@0.1.0";

const file = process.argv[2] ?? "engine.wasm";
const { files, exports } = await transpile(file, { name: "engine", outDir: "engine", instantiation: "sync" });
const names = exports.map(([name]) => name);
if (!names.includes(ENGINE)) {
  const ours = names.filter((name) => name.startsWith("strongroom:"));
  const found = ours.find((name) => name.includes("/engine@")) ?? ours[0] ?? names.join(", ");
  console.error(`${file} is another version's engine, or none: it exports ${found}, and this program calls ${ENGINE}.`);
  console.error("Write it anew with a strongroom command of the same version: strongroom component engine.wasm");
  process.exit(1);
}
await rm("engine", { recursive: true, force: true });
for (const [path, bytes] of Object.entries(files)) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
