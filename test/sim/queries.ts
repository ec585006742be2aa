/**
 * One seed: a few servers, some of which die, leave or are cut off, and queries in the minutes after
 * it, while the gone are suspected, found dead, still told the gossip, and forgotten. Whoever lives
 * and can be reached has to answer each of them in time.
 */
import { createPrng, randomInt, shuffle } from "../../src/protocol/prng.ts";
import type { Question } from "../../src/protocol/serf/action.ts";
import { keyQuestion } from "../../src/protocol/serf/key-queries.ts";
import { WAN } from "../../src/protocol/swim/config.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { type SerfNode, serfMachine } from "./machines.ts";
import { type SimNode, World } from "./world.ts";

export interface QueriesResult {
  readonly asked: number;
  /** A sentence for each query that somebody living did not answer. */
  readonly missing: readonly string[];
}

const QUERIES = 30;
const KEYS: Question = keyQuestion("list", new Uint8Array(0), serfCodec);

/** @param loss of datagrams, 0 to 1 */
export function runQueries(seed: number, loss: number): QueriesResult {
  const prng = createPrng(seed ^ 0xa5c);
  const world = new World(seed);
  world.countBytes = false;
  const count = 3 + randomInt(prng, 12);
  const serfs = new Map<SimNode, SerfNode>();
  for (let i = 0; i < count; i++) {
    const made: SerfNode[] = [];
    const node = world.add(`n${i}`, (address, random) => {
      const machine = serfMachine(`n${i}`, address, random, WAN);
      made.push(machine);
      return machine;
    });
    for (const machine of made) serfs.set(node, machine);
  }
  const [first] = world.nodes;
  if (first === undefined) throw new Error("no nodes");
  for (const node of world.nodes) world.start(node);
  for (const node of world.nodes) if (node !== first) world.join(node, first);
  world.run(60_000);
  world.network.loss = loss;
  // A majority stays, and the asker with it.
  const gone = shuffle([...world.nodes], prng).slice(0, 1 + randomInt(prng, count >> 1));
  for (const node of gone) leaveSomehow(world, node, randomInt(prng, 3));
  const living = world.nodes.filter((node) => !gone.includes(node));
  const missing: string[] = [];
  for (let query = 0; query < QUERIES; query++) {
    const asker = living[randomInt(prng, living.length)] ?? first;
    const unheard = ask(world, asker, serfs, living);
    if (unheard.length === 0) continue;
    const who = `${asker.name} of ${count}, ${gone.length} gone`;
    missing.push(`seed ${seed}, query ${query} by ${who}: ${unheard.join(" ")}`);
    world.run(world.now + randomInt(prng, 3000));
  }
  return { asked: QUERIES, missing };
}

function leaveSomehow(world: World, node: SimNode, how: number): void {
  if (how === 0) node.up = false;
  else if (how === 1) world.tell(node, (now) => node.machine.leave(now));
  else {
    for (const other of world.nodes) {
      world.cut(node, other);
      world.cut(other, node);
    }
  }
}

/** @returns who lives and was not heard before the query's time was up */
function ask(
  world: World,
  asker: SimNode,
  serfs: ReadonlyMap<SimNode, SerfNode>,
  living: readonly SimNode[],
): string[] {
  const answered = new Set<string>();
  let id: number | string = "not asked";
  let over = false;
  world.onAction = (node, action) => {
    if (node !== asker || action.kind !== "query-result" || action.id !== id) return;
    over = true;
    for (const name of action.result.answers.keys()) answered.add(name);
  };
  world.tell(asker, (now) => {
    id = serfs.get(asker)?.serf.ask(KEYS, now) ?? "no machine";
  });
  if (typeof id === "string") return [id];
  while (!over) world.run(world.now + 50);
  return living.filter((node) => !answered.has(node.name)).map((node) => node.name);
}
