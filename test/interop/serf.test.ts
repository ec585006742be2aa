/** The compiled binary and HashiCorp's `serf` agent, built from its module, in one pool. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NET } from "../addresses.ts";
import {
  type Agent,
  getJson,
  type Json,
  Lab,
  membersSeenBy,
  run,
  until,
} from "../cluster/agents.ts";
import { mustRun } from "./go.ts";
import { SerfPeers } from "./serf-agent.ts";

const KEY = Buffer.alloc(16, 6).toString("base64");
const OURS = [`${NET}.80.1`, `${NET}.80.2`];
const THEIRS = [`${NET}.80.11`, `${NET}.80.12`];

const lab = new Lab();
let serf: SerfPeers;

/** Everybody sees `wanted`, each in its own words (which are the same). */
async function allSee(wanted: Record<string, string>, timeoutMs = 20_000): Promise<void> {
  const same = (seen: Record<string, string>): boolean => Bun.deepEquals(seen, wanted);
  for (const ip of OURS) {
    if (wanted[`ts${OURS.indexOf(ip) + 1}.global`] !== "alive") continue;
    await until(`${ip} sees it`, async () => same(await membersSeenBy(ip)), timeoutMs);
  }
  for (const [i, ip] of THEIRS.entries()) {
    if (wanted[`go${i + 1}.global`] !== "alive") continue;
    await until(`serf at ${ip} sees it`, async () => same(await serf.members(ip)), timeoutMs);
  }
}

const ALL = {
  "ts1.global": "alive",
  "ts2.global": "alive",
  "go1.global": "alive",
  "go2.global": "alive",
};

const startOurs = (index: number, targets: readonly string[]): Promise<Agent> =>
  lab.agent({ name: `ts${index + 1}`, ip: OURS[index] ?? "", encrypt: KEY, join: targets });

describe.if(mustRun)("the serf agent of HashiCorp", () => {
  const ours: Agent[] = [];
  const theirs: Agent[] = [];

  beforeAll(async () => {
    serf = new SerfPeers(lab);
    const [first = "", second = ""] = THEIRS;
    theirs.push(serf.start("go1.global", first, [`-encrypt=${KEY}`]));
    await until("go1 is up", () => serf.members(first));
    // We join it, it joins us.
    ours.push(await startOurs(0, [first]));
    await until("ts1 is up", () => membersSeenBy(OURS[0] ?? ""));
    theirs.push(serf.start("go2.global", second, [`-encrypt=${KEY}`, `-join=${OURS[0]}:4648`]));
    ours.push(await startOurs(1, [first]));
    await until("ts2 is up", () => membersSeenBy(OURS[1] ?? ""));
  }, 240_000);

  afterAll(() => lab[Symbol.asyncDispose]());

  test("four nodes, half and half, see each other alive", async () => {
    await allSee(ALL);
    for (const ip of OURS) {
      const { gossip } = await getJson(ip, "/v1/status");
      expect([gossip.packets.refused, gossip.streams.refused]).toEqual([{}, {}]);
    }
  }, 240_000);

  test("our tags arrive as they are", async () => {
    const { members } = JSON.parse(await serf.ask(THEIRS[0] ?? "", ["members", "-format=json"]));
    const ours = members.find((one: Json) => one.name === "ts1.global");
    expect(ours.tags).toMatchObject({ role: "nomad", region: "global", vsn: "1", port: "4647" });
    expect(ours.protocol.version).toBe(4);
  });

  test("its changed tags arrive here", async () => {
    await serf.ask(THEIRS[0] ?? "", ["tags", "-set=colour=green"]);
    await until("ts1 sees the tag", async () => {
      const { Members } = await getJson(OURS[0] ?? "", "/v1/agent/members");
      return Members.find((m: Json) => m.Name === "go1.global").Tags.colour === "green";
    });
  }, 240_000);

  test("a query reaches us and we acknowledge it", async () => {
    const out = await serf.ask(THEIRS[0] ?? "", ["query", "-timeout=3s", "who-is-there"]);
    for (const name of Object.keys(ALL)) expect(out).toContain(`Ack from '${name}'`);
  }, 240_000);

  test("a user event passes through us", async () => {
    await serf.ask(THEIRS[0] ?? "", ["event", "deploy", "v1"]);
    await until("go2 has it", () => theirs[1]?.log.includes("deploy"));
    const stats = async (ip: string): Promise<number> => {
      const { stats } = await getJson(ip, "/v1/agent/self");
      return Number(stats.serf.event_time);
    };
    await until("our clock has seen it", async () => (await stats(OURS[1] ?? "")) > 1);
  }, 240_000);

  test("key rotation driven from their side changes our keyring", async () => {
    const next = Buffer.alloc(32, 7).toString("base64");
    const [first = ""] = THEIRS;
    await serf.ask(first, ["keys", `-install=${next}`]);
    await serf.ask(first, ["keys", `-use=${next}`]);
    await serf.ask(first, ["keys", `-remove=${KEY}`]);
    for (const ip of OURS) {
      const { gossip } = await getJson(ip, "/v1/status");
      expect(gossip.keys).toEqual([expect.objectContaining({ bits: 256, primary: true })]);
    }
    const ring = JSON.parse(await Bun.file(lab.path("data-ts1/server/serf.keyring")).text());
    expect(ring).toEqual([next]);
    await allSee(ALL);
  }, 240_000);

  test("key rotation driven from our side changes theirs", async () => {
    const env = { NOMAD_ADDR: `http://${OURS[0]}:4646` };
    const keyring = ["operator", "gossip", "keyring"];
    // Without TLS changes are taken from loopback only; this is loopback.
    const rotated = await run([...keyring, "rotate"], { env });
    expect([rotated.code, rotated.err]).toEqual([0, ""]);
    expect(rotated.out).toContain("is primary on all 4 members");
    const listed = await run([...keyring, "list"], { env });
    expect(listed.out).toMatch(/^[0-9a-f]{16} +AES-256 +4\/4 +4\/4 +no, it is in use$/m);
    const keys = await serf.ask(THEIRS[1] ?? "", ["keys", "-list"]);
    const shown = JSON.parse((await run([...keyring, "list", "-show-keys", "-json"], { env })).out);
    const [key = "no key"] = Object.keys(shown.Keys);
    expect(keys).toContain(`${key}  [4/4]`);
    const refused = await run([...keyring, "remove", key], { env });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("4/4 nodes reported failure");
    expect(refused.err).toContain("removing the primary key is not allowed");
    await allSee(ALL);
  }, 240_000);

  test("our graceful leave shows as left, and a restart comes back by the snapshot", async () => {
    ours[1]?.kill("SIGKILL");
    await ours[1]?.exited;
    // Nothing is configured to join: only the snapshot knows the others.
    ours[1] = await startOurs(1, []);
    await until("ts2 is back", async () => {
      return Object.keys(await membersSeenBy(OURS[1] ?? "")).length === 4;
    });
    expect(ours[1]?.log).toContain("Re-joined to previously known node");
    await allSee(ALL);
    ours[1]?.kill("SIGINT");
    expect(await ours[1]?.exited).toBe(0);
    await allSee({ ...ALL, "ts2.global": "left" });
  }, 240_000);

  test("its graceful leave shows as left, a forced one of a dead node too", async () => {
    await serf.ask(THEIRS[1] ?? "", ["leave"]);
    const afterLeave = { ...ALL, "ts2.global": "left", "go2.global": "left" };
    await allSee(afterLeave);
    theirs[0]?.kill("SIGKILL");
    await until(
      "ts1 sees go1 failed",
      async () => (await membersSeenBy(OURS[0] ?? ""))["go1.global"] === "failed",
      70_000,
    );
    const url = `http://${OURS[0]}:4646/v1/agent/force-leave?node=go1.global`;
    expect((await fetch(url, { method: "PUT" })).status).toBe(200);
    await allSee({ ...afterLeave, "go1.global": "left" });
  }, 240_000);
});
