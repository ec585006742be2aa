/** The compiled binary and HashiCorp's memberlist in one pool, in both directions. */

import { beforeAll, describe, expect, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, membersSeenBy, until } from "../cluster/agents.ts";
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

  const peer = (name: string, ip: string, key?: string, ...flags: string[]): Promise<Peer> => {
    const secret = key === undefined ? [] : [`-key=${key}`];
    return Peer.start(program, [`-name=${name}`, `-bind=${ip}`, ...secret, ...flags]);
  };

  /** Both see `wanted`, in their own words. */
  async function agree(ip: string, go: Peer, wanted: Record<string, string>): Promise<void> {
    await until("our agent sees it", async () => Bun.deepEquals(await membersSeenBy(ip), wanted));
    await until("memberlist sees it", async () => Bun.deepEquals(await go.members(), wanted));
  }

  for (const [name, key] of Object.entries(KEYS)) {
    test(`${name}: it joins us, we see each other alive`, async () => {
      await using lab = new Lab();
      const [ours, theirs] = [`${NET}.70.1`, `${NET}.70.2`];
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
    }, 240_000);
  }

  test("we join it, also in the clear", async () => {
    await using lab = new Lab();
    const [ours, theirs] = [`${NET}.71.1`, `${NET}.71.2`];
    await using go = await peer("go.global", theirs);
    await lab.agent({ name: "ts", ip: ours, join: [theirs] });
    await until("our agent is up", () => membersSeenBy(ours));
    await agree(ours, go, { "ts.global": "alive", "go.global": "alive" });
  }, 240_000);

  test("a server of another kind and our region is no member, whoever joins whom", async () => {
    await using lab = new Lab();
    const [ours, theirs] = [`${NET}.71.3`, `${NET}.71.4`];
    await using go = await peer("go.global", theirs, undefined, "-region=global");
    await lab.agent({ name: "ts", ip: ours });
    await until("our agent is up", () => membersSeenBy(ours));
    const { error } = await go.ask(`join ${ours}:4648`);
    const refusal = "is of another kind, and in the same region";
    expect(error).toContain(`'go.global' at ${theirs}:4648 ${refusal} "global"`);
    expect(error).toContain("give this cluster a region of its own");
    const put = { method: "PUT", signal: AbortSignal.timeout(9000) };
    const url = `http://${ours}:4646/v1/agent/join?address=${theirs}`;
    const joined: Json = await (await fetch(url, put)).json();
    expect(joined).toMatchObject({ num_joined: 0 });
    expect(joined.error).toContain(refusal);
    expect(await membersSeenBy(ours)).toEqual({ "ts.global": "alive" });
    // We have looked, and said nothing of ourselves.
    expect(await go.members()).toEqual({ "go.global": "alive" });
    expect(lab.log("ts")).toContain(refusal);
  }, 240_000);

  test("nor is it one when it comes later and through a third, whose region is welcome", async () => {
    await using lab = new Lab();
    const [ours, abroad, bad] = [`${NET}.71.5`, `${NET}.71.6`, `${NET}.71.7`];
    await using friend = await peer("friend.go", abroad);
    await lab.agent({ name: "ts", ip: ours, join: [abroad] });
    await until("our agent is up", () => membersSeenBy(ours));
    const pool = { "ts.global": "alive", "friend.go": "alive" };
    await agree(ours, friend, pool);
    await using foreign = await peer("foreign.global", bad, undefined, "-region=global");
    expect(await foreign.ask(`join ${abroad}:4648`)).toEqual({ joined: 1 });
    await until("the third has told us", () => {
      return /ignoring a node.*'foreign\.global' at .* is of another kind/.test(lab.log("ts"));
    });
    expect(await membersSeenBy(ours)).toEqual(pool);
    const { raft } = await getJson(ours, "/v1/status");
    expect(raft).toMatchObject({ voters: 0, non_voters: 0 });
  }, 240_000);

  test("another key is refused by both", async () => {
    await using lab = new Lab();
    const [ours, theirs] = [`${NET}.72.1`, `${NET}.72.2`];
    await lab.agent({ name: "ts", ip: ours, encrypt: KEYS["AES-128"] });
    await until("our agent is up", () => membersSeenBy(ours));
    await using go = await peer("go.global", theirs, KEYS["AES-256"]);
    const { error } = await go.ask(`join ${ours}:4648`);
    expect(error).toContain("no installed keys could decrypt the message");
    const { gossip } = await getJson(ours, "/v1/status");
    expect(gossip.streams.refused).toEqual({ "no-key-opens": 1 });
  }, 240_000);

  test("with a label: only who has the same one is heard", async () => {
    await using lab = new Lab();
    const [ours, theirs, other] = [`${NET}.74.1`, `${NET}.74.2`, `${NET}.74.3`];
    const key = KEYS["AES-256"];
    const server = { gossip_label: "blue" };
    await using go = await peer("go.global", theirs, key, "-label=blue");
    await lab.agent({ name: "ts", ip: ours, encrypt: key, join: [theirs], server });
    await until("our agent is up", () => membersSeenBy(ours));
    await agree(ours, go, { "ts.global": "alive", "go.global": "alive" });
    await using stranger = await peer("stranger.global", other, key, "-label=green");
    expect((await stranger.ask(`join ${ours}:4648`)).error).toBeDefined();
    await using unlabelled = await peer("bare.global", `${NET}.74.4`, key);
    expect((await unlabelled.ask(`join ${ours}:4648`)).error).toBeDefined();
    const gossip = await until("probes go both ways", async () => {
      const { gossip } = await getJson(ours, "/v1/status");
      return gossip.packets.opened > 3 && gossip.packets.sealed > 3 ? gossip : undefined;
    });
    expect(gossip.label).toBe("blue");
    expect(gossip.streams.refused).toEqual({ label: 2 });
    expect(gossip.packets.refused).toEqual({});
  }, 240_000);

  // A pool in clear takes its key step by step; each step lives with the one before and after it.
  const steps = [
    { name: "no key", key: false, incoming: false, outgoing: false },
    { name: "the key, unused", key: true, incoming: false, outgoing: false },
    { name: "sealing, plaintext still taken", key: true, incoming: false, outgoing: true },
    { name: "sealed both ways", key: true, incoming: true, outgoing: true },
  ] as const;
  type Step = (typeof steps)[number];
  const neighbours = steps.flatMap((step, at) => {
    const next = steps[at + 1];
    return next === undefined
      ? []
      : ([
          [step, next],
          [next, step],
        ] as [Step, Step][]);
  });
  for (const [ourStep, theirStep] of neighbours) {
    test(`towards encryption: we with ${ourStep.name}, it with ${theirStep.name}`, async () => {
      await using lab = new Lab();
      const [ours, theirs] = [`${NET}.75.1`, `${NET}.75.2`];
      const key = KEYS["AES-256"];
      const flags = [
        `-verify-incoming=${theirStep.incoming}`,
        `-verify-outgoing=${theirStep.outgoing}`,
      ];
      await using go = await peer("go.global", theirs, theirStep.key ? key : undefined, ...flags);
      const server = ourStep.key
        ? {
            encrypt_verify_incoming: ourStep.incoming,
            encrypt_verify_outgoing: ourStep.outgoing,
          }
        : {};
      const encrypt = ourStep.key ? key : undefined;
      await lab.agent({ name: "ts", ip: ours, encrypt, join: [theirs], server });
      await until("our agent is up", () => membersSeenBy(ours));
      await agree(ours, go, { "ts.global": "alive", "go.global": "alive" });
      await until("probes go both ways", async () => {
        const { packets } = (await getJson(ours, "/v1/status")).gossip;
        const sent = ourStep.outgoing ? packets.sealed : packets.sent_in_clear;
        const received = theirStep.outgoing ? packets.opened : packets.received_in_clear;
        return sent > 3 && received > 3;
      });
      const { gossip, in_clear } = await getJson(ours, "/v1/status");
      expect(gossip.packets.refused).toEqual({});
      expect(gossip.streams.refused).toEqual({});
      expect(gossip.encrypted).toBe(ourStep.incoming);
      const why = in_clear.find((one: { what: string }) => one.what === "gossip")?.why;
      if (ourStep.incoming) expect(why).toBeUndefined();
      else if (ourStep.outgoing) expect(why).toContain("encrypt_verify_incoming");
      else if (ourStep.key) expect(why).toContain("encrypt_verify_outgoing");
      else expect(why).toContain("no gossip key");
    }, 240_000);
  }

  test("both survive a leave and a rejoin of either side", async () => {
    await using lab = new Lab();
    const [ours, theirs] = [`${NET}.73.1`, `${NET}.73.2`];
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
  }, 240_000);
});
