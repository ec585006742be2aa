/** Gossip keys of three servers while one cannot save them, dies, and comes back too late. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync, rmSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Agent, type Json, Lab, membersSeenBy, type Ran, run, until } from "./agents.ts";

setDefaultTimeout(120_000);

const KEY = Buffer.alloc(32, 7).toString("base64");
const EXTRA = Buffer.alloc(32, 8).toString("base64");
const IPS = [`${NET}.86.1`, `${NET}.86.2`, `${NET}.86.3`] as const;
const [ONE, , THREE] = IPS;

const lab = new Lab();
const agents: Agent[] = [];

function start(number: number, encrypt: string): Promise<Agent> {
  const ip = IPS[number - 1] ?? "";
  const server = { bootstrap_expect: 3 };
  return lab.agent({ name: `s${number}`, ip, encrypt, join: [ONE], server });
}

const env = { NOMAD_ADDR: `http://${ONE}:4646` };
const keyring = (...args: string[]): Promise<Ran> =>
  run(["operator", "gossip", "keyring", ...args], { env });
const doctor = async (): Promise<string> =>
  (await run(["operator", "encryption", "doctor"], { env })).out;

async function allSee(statuses: readonly string[]): Promise<void> {
  const wanted = Object.fromEntries(statuses.map((status, i) => [`s${i + 1}.global`, status]));
  for (const [i, status] of statuses.entries()) {
    if (status !== "alive") continue;
    await until(
      `s${i + 1} to see ${statuses.join(", ")}`,
      async () => Bun.deepEquals(await membersSeenBy(IPS[i] ?? ""), wanted),
      90_000,
    );
  }
}

async function fingerprints(): Promise<Json> {
  const { code, out, err } = await keyring("list", "-json");
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}

beforeAll(async () => {
  for (const number of [1, 2, 3]) agents.push(await start(number, KEY));
  await allSee(["alive", "alive", "alive"]);
});

afterAll(() => lab[Symbol.asyncDispose]());

test("a key that nobody uses is named by the doctor, with all who have it", async () => {
  expect(await keyring("install", EXTRA)).toMatchObject({ code: 0 });
  const { Keys, Members } = await fingerprints();
  const extra = Keys.find((key: Json) => key.PrimaryOn === 0).Fingerprint;
  expect(Members.map((member: Json) => member.Name)).toEqual([
    "s1.global",
    "s2.global",
    "s3.global",
  ]);
  const report = await doctor();
  expect(report).toContain(" on 3 of 3 members\n");
  expect(report).toContain(
    `s1.global, s2.global, s3.global: key ${extra} is still installed, and nobody seals with it`,
  );
  expect(report).not.toContain(EXTRA);
  expect(report).toContain(`nomad operator gossip keyring remove ${extra}, or keyring rotate`);
  expect(await keyring("remove", extra)).toMatchObject({ code: 0 });
  expect((await fingerprints()).Keys).toHaveLength(Keys.length - 1);
});

test("a server that cannot save the new key stops the rotation, and nobody loses touch", async () => {
  const before = await fingerprints();
  const folder = lab.path("data-s2/server");
  renameSync(folder, `${folder}.gone`);
  const stopped = await keyring("rotate");
  renameSync(`${folder}.gone`, folder);
  expect(stopped.code).toBe(1);
  expect(stopped.err).toContain(
    "1/3 nodes reported failure: s2.global: Failed to write keyring file: ",
  );
  expect(stopped.err).toContain("Some members have the new key and none uses it");
  expect(stopped.err).toContain("run `nomad operator gossip keyring rotate` again");
  const after = await fingerprints();
  const primaries = (list: Json): Json => list.Members.map((member: Json) => member.Primary);
  expect(primaries(after)).toEqual(primaries(before));
  const again = await keyring("rotate");
  expect(again).toMatchObject({ code: 0, err: "" });
  expect(again.out).toContain("==> 3 members answer and get the new key");
  expect((await fingerprints()).Keys).toMatchObject([{ Nodes: 3, PrimaryOn: 3 }]);
});

test("right after a failure every key query is answered by all who live", async () => {
  agents[2]?.kill("SIGKILL");
  await allSee(["alive", "alive", "failed"]);
  for (let i = 0; i < 12; i++) {
    const address = `http://${IPS[i % 2]}:4646`;
    const list = ["operator", "gossip", "keyring", "list", `-address=${address}`];
    expect(await run(list)).toMatchObject({ code: 0, err: "" });
  }
});

test("rotation leaves a failed server out and says so; the doctor finds it cut off", async () => {
  const rotated = await keyring("rotate");
  expect(rotated).toMatchObject({ code: 0, err: "" });
  expect(rotated.out).toContain("==> 2 members answer and get the new key");
  expect(rotated.out).toContain("s3.global has failed and is left out");
  expect(rotated.out).toContain("s3.global has only old keys");
  agents[2] = await start(3, KEY);
  await until("s3 runs", async () => (await membersSeenBy(THREE))["s3.global"] === "alive");
  expect(await doctor()).toContain(
    "s3.global: gossip holds it for failed, though its RPC port answers: " +
      "another gossip key may have cut it off",
  );
});

test("done as it says, the server comes back", async () => {
  const { out } = await keyring("list", "-show-keys", "-json");
  const [key = ""] = Object.keys(JSON.parse(out).Keys);
  await agents[2]?.stop();
  rmSync(lab.path("data-s3/server/serf.keyring"));
  agents[2] = await start(3, key);
  await allSee(["alive", "alive", "alive"]);
  expect(await doctor()).not.toContain("gossip");
});
