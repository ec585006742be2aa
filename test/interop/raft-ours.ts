/**
 * One of our Raft servers as a program of its own, told by lines as the Go peer is:
 *
 *   bootstrap ID ADDRESS [ID ADDRESS ...]   the first configuration, all voters
 *   state                                   role, indexes, what was applied
 *   apply COUNT [CALLERS]                   so many commands of 256 bytes, 64 callers at once
 *
 * Arguments: ID IP CA CERT KEY [FOLDER]; without a folder its log is in memory.
 */
import { createInterface } from "node:readline";
import { parseIp } from "../../src/host/ip.ts";
import { loadIdentity } from "../cluster/rpc-pool.ts";
import { RaftNode } from "./raft-node.ts";

const [id = "", ip = "", ca = "", cert = "", key = "", directory] = process.argv.slice(2);
const bound = parseIp(ip);
if (bound === undefined) throw new Error(`not an address: ${ip}`);
const node = await RaftNode.start({
  self: { id, address: `${ip}:4647` },
  bind: { ip: bound, port: 4647 },
  identity: loadIdentity(ca, cert, key),
  greets: true,
  ...(directory === undefined ? {} : { directory }),
});

async function apply(count: number, callers: number): Promise<unknown> {
  const took: number[] = [];
  const start = performance.now();
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      const data = new Uint8Array(256);
      new TextEncoder().encodeInto(`ours ${next}`, data);
      const begun = performance.now();
      await node.consensus.apply(data);
      took.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - start) / 1000;
  took.sort((a, b) => a - b);
  return { seconds, p99ms: took[Math.floor((took.length * 99) / 100)] };
}

function bootstrap(words: readonly string[]): unknown {
  const servers = words.flatMap((id, i) => {
    return i % 2 === 0 ? [{ id, address: words[i + 1] ?? "", suffrage: "voter" } as const] : [];
  });
  const error = node.consensus.bootstrap({ servers });
  return error === undefined ? { done: true } : { error };
}

async function answer(line: string): Promise<unknown> {
  const [command, ...words] = line.split(" ");
  const { consensus, machine } = node;
  if (command === "bootstrap") return bootstrap(words);
  if (command === "apply") return apply(Number(words[0]), Number(words[1] ?? 64));
  const { count, hash } = machine;
  const role = consensus.role === "leader" ? "Leader" : "Follower";
  return { role, ...consensus.stats(), count, hash };
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(line).catch((error: Error) => ({ error: error.message }));
  console.log(JSON.stringify(said));
}
