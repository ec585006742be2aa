/** What strangers leave behind: connections that never end their side, at each stage. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeRequest } from "../../src/wire/rpc-frame.ts";
import { encodeEmpty } from "../../src/wire/rpc-status.ts";
import { NET } from "../addresses.ts";
import { hex } from "../vectors.ts";
import { type Agent, getJson, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";

setDefaultTimeout(60_000);

const IP = `${NET}.77.1`;
const HTTPS = `${NET}.77.2`;
const COUNT = 24;

const lab = new Lab();
let agent: Agent;
let https: Agent;
let pair: { ca: string; cert: string; key: string };

beforeAll(async () => {
  const ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  const text = (name: string): string => readFileSync(String(tls[name]), "utf8");
  pair = { ca: text("ca_file"), cert: text("cert_file"), key: text("key_file") };
  const encrypt = (await run(["keygen"])).out.trim();
  const upgrade = { ...tls, rpc_upgrade_mode: true };
  const limits = { http_max_conns_per_client: 10 };
  agent = await lab.agent({ name: "one", ip: IP, encrypt, tls: upgrade, extra: { limits } });
  https = await lab.agent({ name: "two", ip: HTTPS, encrypt, tls: { ...tls, http: true } });
  await until("it is up", () => getJson(IP, "/v1/status"));
  await until("HTTPS is up", () => https.log.includes("Nomad agent started"));
});

afterAll(() => lab[Symbol.asyncDispose]());

/** Says its word and then nothing, not even goodbye. Resolves when the agent has ended its side. */
function halfOpen(ip: string, port: number, say: Uint8Array): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port, allowHalfOpen: true });
    socket.on("error", () => resolve(socket));
    socket.once("end", () => resolve(socket));
    socket.once("connect", () => socket.write(say));
    socket.resume();
  });
}

/** The same inside TLS. */
function halfOpenTls(say: Uint8Array): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const plain = connect({ host: IP, port: 4647, allowHalfOpen: true });
    plain.on("error", reject);
    plain.once("connect", () => {
      plain.write(Uint8Array.of(4));
      const checkServerIdentity = (): undefined => undefined;
      const how = { socket: plain, ...pair, checkServerIdentity, allowHalfOpen: true };
      const socket = connectTls(how, () => socket.write(say));
      socket.on("error", reject);
      socket.once("end", () => resolve(plain));
      socket.resume();
    });
  });
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const unknown = encodeRequest({ seq: 1n, method: "Status.Nothing", body: encodeEmpty() });
const calling = Buffer.concat([Uint8Array.of(1), unknown]);
const streaming = Buffer.concat([Uint8Array.of(5), hex("81a64d6574686f64a3466f6f")]);
const get = ascii(`GET /v1/agent/health HTTP/1.1\r\nHost: ${IP}\r\nConnection: close\r\n\r\n`);

const stages: readonly (readonly [string, () => Promise<Socket>])[] = [
  ["gossip without the key", () => halfOpen(IP, 4648, hex("0600000000"))],
  ["an HTTP request that closes", () => halfOpen(IP, 4646, get)],
  ["no HTTP", () => halfOpen(IP, 4646, ascii("junk\r\n\r\n"))],
  ["plain HTTP to HTTPS", () => halfOpen(HTTPS, 4646, get)],
  ["no RPC", () => halfOpen(IP, 4647, Uint8Array.of(99))],
  ["a method that is not there", () => halfOpen(IP, 4647, calling)],
  ["a stream that is not there", () => halfOpen(IP, 4647, streaming)],
  ["junk in a TLS handshake", () => halfOpen(IP, 4647, hex("0416030100050102030405"))],
  ["a method that is not there, in TLS", () => halfOpenTls(calling)],
  ["a stream that is not there, in TLS", () => halfOpenTls(streaming)],
];

test("descriptors come back from whoever never ends its side", async () => {
  const before = [agent.descriptors, https.descriptors];
  const opened = new Map<string, readonly Socket[]>();
  for (const [what, open] of stages) {
    opened.set(what, await Promise.all(Array.from({ length: COUNT }, open)));
  }
  expect([...opened.keys()]).toEqual(stages.map(([what]) => what));
  await until("all are closed", () => {
    const now = [agent.descriptors, https.descriptors];
    return now.every((one, i) => one <= (before[i] ?? 0) + 2);
  });
  for (const socket of [...opened.values()].flat()) socket.destroy();
});

test("300 of them at the gossip port, and 256 descriptors: the API still answers", async () => {
  const by = ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"'];
  const ip = `${NET}.77.3`;
  const encrypt = (await run(["keygen"])).out.trim();
  await lab.agent({ name: "few", ip, encrypt, by });
  await until("it is up", () => getJson(ip, "/v1/status"));
  const opened = await Promise.all(
    Array.from({ length: 300 }, () => halfOpen(ip, 4648, hex("0600000000"))),
  );
  await until("it answers", () => getJson(ip, "/v1/agent/self"));
  const { gossip } = await getJson(ip, "/v1/status");
  expect(gossip.streams.refused["too-many-connections"]).toBeGreaterThan(50);
  for (const socket of opened) socket.destroy();
});

test("more connections than descriptors: said once, nothing spins, and all is well behind them", async () => {
  const by = ["sh", "-c", 'ulimit -n 200; exec "$0" "$@"'];
  const ip = `${NET}.77.4`;
  const few = await lab.agent({ name: "fewer", ip, by, server: { bootstrap_expect: 1 } });
  await until("it leads", async () => (await getJson(ip, "/v1/status")).raft.role === "leader");
  expect(few.log).toContain("this process may have few descriptors: limit=200");
  const opened: Socket[] = [];
  for (let i = 0; i < 400; i++) {
    const from = `${NET}.78.${1 + (i % 10)}`;
    const socket = connect({ host: ip, port: 4646, localAddress: from });
    socket.on("error", () => undefined);
    opened.push(socket);
  }
  await until("it is said", () => few.log.includes("too many open connections"));
  await Bun.sleep(1000); // What is measured is the time in which nothing happens.
  const before = few.cpuMs;
  await Bun.sleep(1000);
  expect(few.cpuMs - before).toBeLessThan(500);
  expect(few.descriptors).toBeLessThan(180);
  expect(few.log.split("too many open connections").length).toBeLessThan(5);
  for (const socket of opened) socket.destroy();
  await until("it answers", () => getJson(ip, "/v1/status"));
});

test("the soft limit is raised to the hard one", async () => {
  const by = ["sh", "-c", 'ulimit -Sn 100; exec "$0" "$@"'];
  const ip = `${NET}.77.5`;
  const raised = await lab.agent({ name: "raised", ip, by });
  await until("it is up", () => getJson(ip, "/v1/status"));
  const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(raised.limits) ?? [];
  expect(soft).toBe(hard);
});
