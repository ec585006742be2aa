/** `npm run sim -- --nodes 2000 --seed 42`: one large cluster, one death, and the papers beside it. */
import { parseArgs } from "node:util";
import { LAN } from "../../src/protocol/swim/config.ts";
import { suspicionTimeoutMs } from "../../src/protocol/swim/formulas.ts";
import { runLarge } from "./large.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "1000" },
    seed: { type: "string", default: "42" },
    seconds: { type: "string", default: "60" },
    loss: { type: "string", default: "0.01" },
  },
});
const [nodes, seed, seconds, loss] = [values.nodes, values.seed, values.seconds, values.loss].map(
  Number,
);
if ([nodes, seed, seconds, loss].some((value) => value === undefined || Number.isNaN(value))) {
  throw new Error("--nodes, --seed, --seconds and --loss are numbers");
}
console.log(`seed ${seed}, ${nodes} nodes, ${seconds} virtual seconds, ${loss} loss`);
const result = runLarge({
  nodes: nodes ?? 0,
  seed: seed ?? 0,
  virtualMs: (seconds ?? 0) * 1000,
  loss: loss ?? 0,
});

function line(what: string, value: string, beside = ""): void {
  console.log(`${what.padEnd(34)} ${value.padStart(12)}   ${beside}`.trimEnd());
}

const ms = (value: number | undefined): string =>
  value === undefined ? "never" : `${Math.round(value)} ms`;

// SWIM §4.1: a member is probed by somebody in a period with probability 1 - (1 - 1/n)^(n-1), so
// the first failed probe starts 1 / (1 - 1/e) periods after the death on average, and ends with it.
const period = LAN.probeIntervalMs;
const firstProbe = period / (1 - Math.exp(-1));
const suspicion = suspicionTimeoutMs(LAN.suspicionMult, nodes ?? 1, period);
// Epidemics: rounds to reach all, by fan-out; Lifeguard §IV: the timeout shrinks to its minimum.
const rounds = Math.ceil(Math.log(nodes ?? 1) / Math.log(LAN.gossipNodes + 1)) + 2;
line("trace", result.trace);
line("wall time", `${(result.wallMs / 1000).toFixed(1)} s`);
line("resident memory, at most", `${Math.round(result.residentPeakMb)} MB`);
line(
  "messages a node a second",
  result.messagesPerNodeSecond.toFixed(2),
  "SWIM: 2 (ping, ack) + indirect",
);
line("bytes a node a second", result.bytesPerNodeSecond.toFixed(0));
line(
  "death to first suspicion",
  ms(result.suspectedMs),
  `SWIM §4.1: about ${ms(firstProbe + period)}`,
);
line(
  "death to first declared dead",
  ms(result.declaredMs),
  `Lifeguard: ${ms(suspicion)} to ${ms(suspicion * LAN.suspicionMaxTimeoutMult)} later`,
);
line(
  "death to known everywhere",
  ms(result.convergedMs),
  `epidemic: about ${ms(rounds * LAN.gossipIntervalMs)} after that`,
);
line("living held for dead", String(result.wronglyDead), "wanted: 0");
process.exit(result.wronglyDead === 0 && result.convergedMs !== undefined ? 0 : 1);
