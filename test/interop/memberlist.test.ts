/** The compiled binary and HashiCorp's memberlist in one pool, in both directions. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Agent, getJson, Lab, membersSeenBy, until } from "../cluster/agents.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

const KEYS = {
  "AES-128": Buffer.alloc(16, 3).toString("base64"),
  "AES-192": Buffer.alloc(24, 4).toString("base64"),
  "AES-256": Buffer.alloc(32, 5).toString("base64"),
};

describe.if(mustRun)("memberlist of HashiCorp", () => {
  let program = "";

  beforeAll(() => {
    program = buildPeer("memberlist-peer");
  });

  const peer = (name: string, ip: string, key?: string): Promise<Peer> => {
    const secret = key === undefined ? [] : [`-key=${key}`];
    return Peer.start(program, [`-name=${name}`, `-bind=${ip}`, ...secret]);
  };

  /** Both see `wanted`, in their own words. */
  async function agree(ip: string, go: Peer, wanted: Record<string, string>): Promise<void> {
    await until("our agent sees it", async () => Bun.deepEquals(await membersSeenBy(ip), wanted));
    await until("memberlist sees it", async () => Bun.deepEquals(await go.members(), wanted));
  }

  for (const [name, key] of Object.entries(KEYS)) {
    test(`${name}: it joins us, we see each other alive`, async () => {
      await using lab = new Lab();
      const [ours, theirs] = ["127.0.70.1", "127.0.70.2"];
      await lab.agent({ name: "ts", ip: ours, encrypt: key });
      await until("our agent is up", () => membersSeenBy(ours));
      await using go = await peer("go.global", theirs, key);
      expect(await go.ask(`join ${ours}:4648`)).toEqual({ joined: 1 });
      await agree(ours, go, { "ts.global": "alive", "go.global": "alive" });
      const { gossip } = await getJson(ours, "/v1/status");
      expect(gossip.streams.opened).toBeGreaterThan(0);
      expect(gossip.packets.refused).toEqual({});
      expect(gossip.streams.refused).toEqual({});
      await until("probes go both ways", async () => {
        const { packets } = (await getJson(ours, "/v1/status")).gossip;
        return packets.opened > 3 && packets.sealed > 3;
      });
    }, 30_000);
  }

  test("we join it, also in the clear", async () => {
    await using lab = new Lab();
    const [ours, theirs] = ["127.0.71.1", "127.0.71.2"];
    await using go = await peer("go.global", theirs);
    await lab.agent({ name: "ts", ip: ours, join: [theirs] });
    await until("our agent is up", () => membersSeenBy(ours));
    await agree(ours, go, { "ts.global": "alive", "go.global": "alive" });
  }, 30_000);

  test("another key is refused by both", async () => {
    await using lab = new Lab();
    const [ours, theirs] = ["127.0.72.1", "127.0.72.2"];
    await lab.agent({ name: "ts", ip: ours, encrypt: KEYS["AES-128"] });
    await until("our agent is up", () => membersSeenBy(ours));
    await using go = await peer("go.global", theirs, KEYS["AES-256"]);
    const { error } = await go.ask(`join ${ours}:4648`);
    expect(error).toContain("no installed keys could decrypt the message");
    const { gossip } = await getJson(ours, "/v1/status");
    expect(gossip.streams.refused).toEqual({ "no-key-opens": 1 });
  }, 30_000);

  test("both survive a leave and a rejoin of either side", async () => {
    await using lab = new Lab();
    const [ours, theirs] = ["127.0.73.1", "127.0.73.2"];
    const key = KEYS["AES-128"];
    const start = (): Promise<Agent> =>
      lab.agent({ name: "ts", ip: ours, encrypt: key, join: [theirs] });
    const both = { "ts.global": "alive", "go.global": "alive" };
    let agent = await start();
    {
      await using go = await peer("go.global", theirs, key);
      await agree(ours, go, both);

      // We leave: memberlist forgets us at once; we come back and refute our own farewell.
      agent.kill("SIGINT");
      expect(await agent.exited).toBe(0);
      await until("memberlist sees us gone", async () => {
        return (await go.members())["ts.global"] !== "alive";
      });
      agent = await start();
      await until("our agent is up", () => membersSeenBy(ours));
      await agree(ours, go, both);

      // It leaves, without Serf's intent: for Serf that is a failure.
      expect(await go.ask("leave")).toEqual({ left: true });
      await until("we see it gone", async () => {
        return (await membersSeenBy(ours))["go.global"] === "failed";
      });
    }
    await using again = await peer("go.global", theirs, key);
    expect(await again.ask(`join ${ours}:4648`)).toEqual({ joined: 1 });
    await agree(ours, again, both);
  }, 60_000);
});
