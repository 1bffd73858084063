// Logits of a GGUF file by llama.cpp, for scripts/compare-families.sh.
//   node llama-cpp-logits.mjs NODE_MODULES MODEL.gguf TOKENS.json OUT.json
// TOKENS.json is a list of ids, OUT.json a list of logits for each of them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, modelPath, tokens, out] = process.argv.slice(2);
const entry = join(modules, "node-llama-cpp", "dist", "index.js");
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: "error" });
const model = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: false });
const ids = JSON.parse(readFileSync(tokens, "utf8"));
// Room behind the last token: a full context drops its first ones.
const context = await model.createContext({ contextSize: ids.length + 64, batchSize: ids.length, flashAttention: false });
const rows = await context.getSequence().controlledEvaluate(ids.map((id) => [id, { generateNext: { logits: true } }]));
const dense = rows.map((row) => {
  const logits = [];
  for (const [token, logit] of row.next.logits) logits[token] = logit;
  return logits;
});
writeFileSync(out, JSON.stringify(dense));
process.exit(0); // nothing is left to be freed in order
