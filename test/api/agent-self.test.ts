/** What is written once of /v1/agent/self, and when it is written anew. */
import { expect, test } from "bun:test";
import { agentSelf } from "../../src/api/agent.ts";
import type { ApiContext } from "../../src/api/context.ts";
import { afterThisTurn } from "../../src/host/timer.ts";
import { bench, LOCAL } from "../http/bench.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => afterThisTurn(resolve));

async function self(context: ApiContext): Promise<Record<string, Record<string, unknown>>> {
  return Object((await agentSelf(context)).value);
}

test("a reload is seen at once, and what the agent does with the next turn", async () => {
  const { context } = bench(LOCAL);
  const { gossip } = context;
  if (gossip === undefined) throw new Error("no gossip");
  let members = 1;
  const changing = { ...context, gossip: { ...gossip, stats: () => ({ members }) } };
  const before = await self(changing);
  members = 2;
  const config = { ...context.config, logLevel: "TRACE" } as const;
  const reloaded = await self({ ...changing, config });
  expect([before["config"]?.["LogLevel"], reloaded["config"]?.["LogLevel"]]).toEqual([
    context.config.logLevel,
    "TRACE",
  ]);
  await nextTurn();
  const after = await self(changing);
  const counts = [before, after].map(({ stats }) => Object(stats?.["serf"]).members);
  expect(counts).toEqual(["1", "2"]);
  expect(after["config"]).toEqual(before["config"]);
});
