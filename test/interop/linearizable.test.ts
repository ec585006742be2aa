/** Histories of the simulated Raft groups before a checker of linearizability that is not ours. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Operation, runRaft } from "../sim/raft-world.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(120_000);

const SEEDS = 500;

type History = readonly Pick<
  Operation,
  "register" | "kind" | "value" | "calledAt" | "returnedAt"
>[];

async function judge(checker: Peer, history: History): Promise<string> {
  const lines = history.map(({ register, kind, value, calledAt, returnedAt }) => {
    return { register, kind, value, call: calledAt, return: returnedAt };
  });
  return checker.ask(JSON.stringify(lines));
}

describe.if(mustRun)("porcupine", () => {
  test(`finds ${SEEDS} histories under faults linearizable`, async () => {
    await using checker = await Peer.start(buildPeer("linearizable"), []);
    const verdicts: string[] = [];
    let [reads, writes, open] = [0, 0, 0];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { history } = runRaft(seed);
      reads += history.filter((one) => one.kind === "read").length;
      writes += history.filter((one) => one.kind === "write").length;
      open += history.filter((one) => one.returnedAt === undefined).length;
      const verdict = await judge(checker, history);
      if (verdict !== "ok") verdicts.push(`bun test/sim/raft-replay.ts ${seed}: ${verdict}`);
    }
    expect(verdicts).toEqual([]);
    expect(reads).toBeGreaterThan(SEEDS * 50);
    expect(writes).toBeGreaterThan(SEEDS * 200);
    expect(open).toBeGreaterThan(SEEDS);
  });

  test("refuses a read of what was overwritten, in a history that is good but for it", async () => {
    await using checker = await Peer.start(buildPeer("linearizable"), []);
    let refused = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const { history } = runRaft(seed);
      const done = history.filter((one) => one.kind === "write" && one.returnedAt !== undefined);
      const old = done[0];
      const newer = done.find((one) => {
        return one.register === old?.register && one.calledAt > (old.returnedAt ?? 0);
      });
      if (old === undefined || newer?.returnedAt === undefined) continue;
      const calledAt = newer.returnedAt + 0.001;
      const stale = { ...old, kind: "read", calledAt, returnedAt: calledAt + 0.001 } as const;
      expect(await judge(checker, history)).toBe("ok");
      expect(await judge(checker, [...history, stale])).toBe("illegal");
      refused += 1;
    }
    expect(refused).toBe(10);
  });
});
