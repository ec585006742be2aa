/** `bun test/sim/raft-replay.ts SEED`: one failing seed of raft-sim.test.ts again. */
import { runRaft } from "./raft-world.ts";

const seed = Number(process.argv[2] ?? 1);
console.log(`SEED ${seed}`);
console.log(JSON.stringify(runRaft(seed), null, 2));
