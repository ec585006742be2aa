/** `bun test/sim/replay.ts SEED`: one seed of the small simulation again, with what was done to it. */
import { runSmall } from "./small.ts";

const seed = Number(process.argv[2]);
if (!Number.isInteger(seed)) throw new Error("usage: bun test/sim/replay.ts SEED");
const result = runSmall(seed);
for (const fault of result.faults) console.log(fault);
for (const violation of result.violations) console.log(`VIOLATION ${violation}`);
console.log(
  `seed ${seed}, trace ${result.trace}, converged ${result.convergedMs ?? "never"} ms after`,
);
process.exit(result.violations.length === 0 && result.convergedMs !== undefined ? 0 : 1);
