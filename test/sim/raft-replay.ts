/** `bun test/sim/raft-replay.ts SEED`: one failing seed of raft-sim.test.ts again. */
import { runRaft } from "./raft-world.ts";

const seed = Number(process.argv[2] ?? 1);
console.log(`SEED ${seed}`);
const { history: _, ...run } = runRaft(seed);
console.log(JSON.stringify(run, null, 2));
