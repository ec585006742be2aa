/**
 * Twenty nodes, half of them HashiCorp's `serf` agents, with every twentieth datagram lost: all
 * agree, and for two minutes nobody is called failed. The loss is a relay in front of each node's
 * advertised address, since not every kernel can lose packets on request.
 */

import { describe, expect, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, membersSeenBy, until } from "../cluster/agents.ts";
import { Wiretap } from "../cluster/wiretap.ts";
import { mustRun } from "./go.ts";
import { SerfPeers } from "./serf-agent.ts";

const HALF = 10;
const LOSS = 0.05;
const WATCH_MS = 120_000;
const KEY = Buffer.alloc(16, 14).toString("base64");

const real = (index: number): string => `${NET}.95.${index + 1}`;
const advertised = (index: number): string => `${NET}.96.${index + 1}`;

describe.if(mustRun)("twenty nodes, half and half, 5 % loss", () => {
  test("converge and report no false failure in two minutes", async () => {
    await using lab = new Lab();
    await using relay = new Wiretap();
    relay.keep = false;
    const peers = new SerfPeers(lab);
    const agents: Agent[] = [];
    const wanted: Record<string, string> = {};
    for (let i = 0; i < HALF * 2; i++) await relay.tap(advertised(i), real(i));
    for (let i = 0; i < HALF * 2; i++) {
      const ours = i % 2 === 0;
      const name = `${ours ? "ts" : "go"}${i}.global`;
      wanted[name] = "alive";
      const join = i === 0 ? [] : [advertised(0)];
      const settings = {
        name: `ts${i}`,
        ip: real(i),
        advertise: advertised(i),
        encrypt: KEY,
        join,
      };
      if (ours) agents.push(await lab.agent(settings));
      else {
        const flags = [
          `-encrypt=${KEY}`,
          `-advertise=${advertised(i)}:4648`,
          `-retry-join=${join[0]}:4648`,
        ];
        agents.push(peers.start(name, real(i), [...flags, "-retry-interval=1s"]));
      }
      if (i === 0) await until("the first is up", () => membersSeenBy(real(0)));
    }
    const agree = async (): Promise<boolean> => {
      for (let i = 0; i < HALF * 2; i++) {
        const seen = i % 2 === 0 ? await membersSeenBy(real(i)) : await peers.members(real(i));
        if (!Bun.deepEquals(seen, wanted)) return false;
      }
      return true;
    };
    await until("all twenty agree", agree, 60_000);
    const agreedAt = agents.map((agent) => agent.log.length);
    relay.loss = LOSS;
    const before = relay.swallowed;
    // The time is what is tested here: nothing may happen in it.
    await Bun.sleep(WATCH_MS);
    expect(relay.swallowed - before).toBeGreaterThan(200);
    for (const [i, agent] of agents.entries()) {
      const since = agent.log.slice(agreedAt[i]);
      expect(since.match(/EventMember(Failed|Leave): .*/)?.[0]).toBeUndefined();
    }
    relay.loss = 0;
    await until("all twenty still agree", agree, 30_000);
    const { gossip } = await getJson(real(0), "/v1/status");
    expect([gossip.packets.refused, gossip.streams.refused]).toEqual([{}, {}]);
  }, 240_000);
});
