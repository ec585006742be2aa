/** The RPC port of the compiled binary: first bytes, TLS, net-rpc, byte by byte. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect as netConnect, type Socket } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import { decodeAnswer, encodeCall } from "../../src/wire/raft-codec.ts";
import { decodeResponse, encodeRequest } from "../../src/wire/rpc-frame.ts";
import { decodeServerMembers, encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { FrameWriter } from "../../src/wire/yamux-frame.ts";
import { NET } from "../addresses.ts";
import { hex, type Json, vectors } from "../vectors.ts";
import { Agent, binary, getJson, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";

const PLAIN = `${NET}.62.1`;
const SECURE = `${NET}.62.2`;
const UPGRADING = `${NET}.62.3`;
const OTHER_REGION = `${NET}.62.4`;

const lab = new Lab();
let ca: TestCa;

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  await Promise.all(
    ["-client", "-cli"].map((role) => run(["tls", "cert", "create", role], { cwd: ca.directory })),
  );
  // A recorded candidate greets nobody.
  const server = { unsafe_raft_with_other_servers: true };
  await lab.agent({ name: "plain", ip: PLAIN, server });
  await lab.agent({ name: "secure", ip: SECURE, tls });
  await lab.agent({ name: "upgrading", ip: UPGRADING, tls: { ...tls, rpc_upgrade_mode: true } });
  const other = await serverTls(ca, "eu");
  await lab.agent({ name: "far", ip: OTHER_REGION, region: "eu", tls: other });
  for (const ip of [PLAIN, SECURE, UPGRADING, OTHER_REGION]) {
    await until(`${ip} is up`, () => getJson(ip, "/v1/status"));
  }
});

afterAll(() => lab[Symbol.asyncDispose]());

/** Everything that the server says until it closes or `bytes` have come. */
function conversation(
  socket: Socket,
  say: Uint8Array,
  bytes: number,
): Promise<Uint8Array | "closed"> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    socket.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= bytes) resolve(Buffer.concat(chunks));
    });
    socket.on("error", () => resolve("closed"));
    socket.on("close", () => resolve(length === 0 ? "closed" : Buffer.concat(chunks)));
    socket.write(say);
  });
}

function dial(ip: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect(4647, ip, () => resolve(socket));
    socket.once("error", reject);
  });
}

const file = (name: string): string => readFileSync(join(ca.directory, name), "utf8");

/** `04`, then TLS with the certificate of `who`; undefined: none. */
async function secured(
  ip: string,
  who: string | undefined,
  more: ConnectionOptions = {},
): Promise<Socket | "refused"> {
  const plain = await dial(ip);
  plain.write(Uint8Array.of(4));
  const identity =
    who === undefined ? {} : { cert: file(`${who}-nomad.pem`), key: file(`${who}-nomad-key.pem`) };
  return new Promise((resolve) => {
    const options = { socket: plain, ca: file("nomad-agent-ca.pem"), ...identity, ...more };
    const socket = tlsConnect({ ...options, checkServerIdentity: () => undefined }, () => {
      resolve(socket);
    });
    socket.on("error", () => resolve("refused"));
    socket.on("close", () => resolve("refused"));
  });
}

const options = encodeQueryOptions({ AllowStale: true });

function request(method: string, seq = 7n): Uint8Array {
  return Buffer.concat([Uint8Array.of(1), encodeRequest({ seq, method, body: options })]);
}

describe("net-rpc in the clear (mode 01)", () => {
  test("Status.Ping answers an empty struct, byte for byte as net/rpc does", async () => {
    const socket = await dial(PLAIN);
    const answer = await conversation(socket, request("Status.Ping"), 40);
    expect(Buffer.from(answer as Uint8Array).toString("hex")).toBe(
      "83a54572726f72a0a353657107ad536572766963654d6574686f64ab5374617475732e50696e6780",
    );
    socket.destroy();
  });

  test("a real server's own Status.Peers request is understood; no Raft, no peers", async () => {
    const recorded = vectors("rpc/rpc-calls.json").find((one: Json) =>
      one.name.startsWith("Status.Peers/conn0"),
    );
    const socket = await dial(PLAIN);
    const say = Buffer.concat([Uint8Array.of(1), hex(recorded.hex)]);
    const answer = await conversation(socket, say, 40);
    const read = decodeResponse(answer as Uint8Array);
    if (read.kind !== "frame") throw new Error(read.kind);
    expect(read.frame).toMatchObject({ method: "Status.Peers", error: "" });
    expect(read.frame.body.toHex()).toBe("c0");
    socket.destroy();
  });

  test("Status.Members tells the truth", async () => {
    const socket = await dial(PLAIN);
    const answer = await conversation(socket, request("Status.Members"), 200);
    const read = decodeResponse(answer as Uint8Array);
    if (read.kind !== "frame") throw new Error(read.kind);
    const members = decodeServerMembers(read.frame.body);
    expect(members).toMatchObject({ serverName: "plain", serverRegion: "global", serverDc: "dc1" });
    const [own] = members?.members ?? [];
    expect(own).toMatchObject({ name: "plain.global", status: "alive", port: 4648 });
    expect(own?.tags.get("build")).toBe("2.0.5");
    socket.destroy();
  });

  test("several requests on one connection are answered in order", async () => {
    const socket = await dial(PLAIN);
    const more = [2n, 3n].map((seq) =>
      encodeRequest({ seq, method: "Status.Ping", body: options }),
    );
    const say = Buffer.concat([request("Status.Ping", 1n), ...more]);
    const answer = (await conversation(socket, say, 120)) as Uint8Array;
    let rest = answer;
    for (const seq of [1n, 2n, 3n]) {
      const read = decodeResponse(rest);
      if (read.kind !== "frame") throw new Error(read.kind);
      expect(read.frame.seq).toBe(seq);
      rest = rest.subarray(read.bytes);
    }
    socket.destroy();
  });

  const unknown = [
    ["Status.Version", "rpc: can't find method Status.Version"],
    ["Nothing.Here", "rpc: can't find service Nothing.Here"],
    ["nonsense", "rpc: service/method request ill-formed: nonsense"],
  ] as const;
  for (const [method, error] of unknown) {
    test(`${method}: the error, then the end of the connection`, async () => {
      const socket = await dial(PLAIN);
      const answer = (await conversation(socket, request(method), 1e6)) as Uint8Array;
      const read = decodeResponse(answer);
      if (read.kind !== "frame") throw new Error(read.kind);
      expect(read.frame.error).toBe(error);
      expect(read.frame.body.toHex()).toBe("80");
    });
  }
});

/** An empty error, and a map of an address of 15 and an id of 36 characters. */
const PRE_VOTE_ANSWER_BYTES = 1 + 1 + 5 + 16 + 3 + 39 + 16 + 1 + 8 + 1 + 5 + 1;

describe("the other protocols in the clear", () => {
  const mux = (frames: string): Uint8Array => hex(frames);

  test("03: streams without a byte of their own", async () => {
    const socket = await dial(PLAIN);
    const body = request("Status.Ping").subarray(1);
    const writer = new FrameWriter();
    writer.add({ type: 0, flags: 1, stream: 1, length: body.length }, body);
    const say = Buffer.concat([Uint8Array.of(3), writer.take()]);
    const answer = (await conversation(socket, say, 64)) as Uint8Array;
    const ack = "000100020000000100000000";
    expect(answer.toHex()).toBe(
      `${ack}00000000000000010000002883a54572726f72a0a353657107ad536572766963654d6574686f64ab5374617475732e50696e6780`,
    );
    socket.destroy();
  });

  test("05: a streaming call on the connection itself; an unknown one is refused", async () => {
    const socket = await dial(PLAIN);
    const say = Buffer.concat([Uint8Array.of(5), mux("81a64d6574686f64a4506c6179")]);
    const answer = (await conversation(socket, say, 1e6)) as Uint8Array;
    expect(answer.toHex()).toBe(
      "81a54572726f72ba556e6b6e6f776e20727063206d6574686f643a2022506c617922",
    );

    const [recorded] = vectors("rpc/streaming.json");
    const second = await dial(PLAIN);
    const whole = [Uint8Array.of(5), hex(recorded.header_hex), hex(recorded.request_hex)];
    const heard = (await conversation(second, Buffer.concat(whole), 12)) as Uint8Array;
    expect(heard.toHex()).toStartWith("81a54572726f72a0");
    second.destroy();
  });

  test("02: a real candidate's RequestPreVote is understood; two of them, in order", async () => {
    const [recorded] = vectors("rpc/raft-rpc.json");
    const socket = await dial(PLAIN);
    const say = Buffer.concat([Uint8Array.of(2), hex(recorded.hex), hex(recorded.hex)]);
    const answer = (await conversation(socket, say, 2 * PRE_VOTE_ANSWER_BYTES)) as Uint8Array;
    const half = answer.subarray(0, answer.length / 2);
    expect(answer.subarray(half.length).toHex()).toBe(half.toHex());
    // A server that has no group yet knows nobody, and would let anybody lead.
    const read = decodeAnswer("request-pre-vote", half);
    expect(read).toEqual({ kind: "request-pre-vote", granted: true, term: 2 });
    socket.destroy();
  });
});

test("02: a term that no server can count with is refused and counted", async () => {
  const refused = async (): Promise<number> => {
    return (await getJson(PLAIN, "/v1/status")).rpc.refused["raft-malformed"] ?? 0;
  };
  const before = await refused();
  const from = { id: "b", address: `${NET}.62.9:4647` };
  for (const term of [2 ** 53, 2 ** 63]) {
    const call = { kind: "request-vote", from, term, lastIndex: 1, lastTerm: 1 } as const;
    const socket = await dial(PLAIN);
    const say = Buffer.concat([Uint8Array.of(2), encodeCall({ ...call, transfer: true }, 0)]);
    expect(await conversation(socket, say, 1)).toBe("closed");
  }
  expect(await refused()).toBe(before + 2);
});

describe("first bytes", () => {
  const refusedBytes = [
    [0x00, "unknown-byte"],
    [0x07, "unknown-byte"],
    [0x47, "unknown-byte"],
    [0x04, "tls-not-configured"],
  ] as const;
  for (const [byte, reason] of refusedBytes) {
    test(`0x${byte.toString(16).padStart(2, "0")}: closed without a word, counted`, async () => {
      const before = (await getJson(PLAIN, "/v1/status")).rpc.refused[reason] ?? 0;
      const socket = await dial(PLAIN);
      expect(await conversation(socket, Uint8Array.of(byte), 1)).toBe("closed");
      expect((await getJson(PLAIN, "/v1/status")).rpc.refused[reason]).toBe(before + 1);
    });
  }

  test("with TLS a ClientHello without Nomad's byte is refused", async () => {
    const socket = await dial(SECURE);
    expect(await conversation(socket, hex("1603010200010001fc0303"), 1)).toBe("closed");
  });
});

describe("TLS (mode 04)", () => {
  const callers: readonly (readonly [string | undefined, boolean])[] = [
    ["global-server", true],
    ["global-client", true],
    ["eu-server", true],
    ["global-cli", false],
    [undefined, false],
  ];
  for (const [who, welcome] of callers) {
    test(`${who ?? "no certificate"}: ${welcome ? "served" : "refused"}`, async () => {
      const socket = await secured(SECURE, who);
      const answer =
        socket === "refused" ? "closed" : await conversation(socket, request("Status.Ping"), 40);
      expect(answer !== "closed").toBe(welcome);
    });
  }

  test("a client of another region is refused, its server is not", async () => {
    await run(["tls", "cert", "create", "-client", "-region=us"], { cwd: ca.directory });
    const socket = await secured(SECURE, "us-client");
    const answer =
      socket === "refused" ? "closed" : await conversation(socket, request("Status.Ping"), 40);
    expect(answer).toBe("closed");
    const { rpc } = await getJson(SECURE, "/v1/status");
    expect(rpc.tls.handshakes.inbound.refused["wrong-role"]).toBeGreaterThan(0);
  });

  test("TLS 1.2 is spoken, 1.1 is not", async () => {
    const twelve = await secured(SECURE, "global-server", { maxVersion: "TLSv1.2" });
    if (twelve === "refused") throw new Error("TLS 1.2 was refused");
    expect(await conversation(twelve, request("Status.Ping"), 40)).not.toBe("closed");
    const eleven = { minVersion: "TLSv1", maxVersion: "TLSv1.1" } as const;
    expect(await secured(SECURE, "global-server", eleven)).toBe("refused");
  });

  test("no second TLS inside", async () => {
    const socket = await secured(SECURE, "global-server");
    if (socket === "refused") throw new Error("refused");
    expect(await conversation(socket, Uint8Array.of(4), 1)).toBe("closed");
    expect((await getJson(SECURE, "/v1/status")).rpc.refused["inner-tls"]).toBe(1);
  });
});

describe("rpc_upgrade_mode", () => {
  test("takes both, and says that it does", async () => {
    const plain = await dial(UPGRADING);
    expect(await conversation(plain, request("Status.Ping"), 40)).not.toBe("closed");
    plain.destroy();
    const socket = await secured(UPGRADING, "global-server");
    if (socket === "refused") throw new Error("refused");
    expect(await conversation(socket, request("Status.Ping"), 40)).not.toBe("closed");
    socket.destroy();
    const { encrypted, in_clear, rpc } = await getJson(UPGRADING, "/v1/status");
    expect(encrypted).toBe(false);
    expect(in_clear.map((one: Json) => one.why)).toContain(
      "rpc_upgrade_mode still accepts plain connections",
    );
    expect(rpc.plain_connections).toBe(1);
  });
});

test("SIGHUP takes a renewed certificate for new connections and keeps the old one if it is bad", async () => {
  const ip = `${NET}.62.5`;
  const own = await makeCa(lab.directory, "reload-ca");
  const tls = await serverTls(own);
  const agent = await lab.agent({ name: "renewing", ip, tls });
  const serial = async (): Promise<string> =>
    (await getJson(ip, "/v1/status")).rpc.tls.certificate.serial;
  const before = await until("it is up", serial);
  const [cert, key] = ["global-server-nomad.pem", "global-server-nomad-key.pem"];

  Bun.spawnSync(["sh", "-c", `echo nonsense > ${cert}`], { cwd: own.directory });
  agent.kill("SIGHUP");
  await until("it says so", () => agent.log.includes("Failed to reload configs"));
  expect(await serial()).toBe(before);

  Bun.spawnSync(["rm", cert, key], { cwd: own.directory });
  await serverTls(own);
  agent.kill("SIGHUP");
  await until("the new certificate is in use", async () => (await serial()) !== before);
  expect(agent.log).toContain("new connections use the new tls settings");
});

test("a reload takes all or nothing, and names what needs a restart", async () => {
  const ip = `${NET}.62.6`;
  const tls = await serverTls(await makeCa(lab.directory, "level-ca"));
  const settings = { name: "levels", ip, tls, server: { bootstrap_expect: 1 } };
  const agent = await lab.agent(settings);
  await until("it leads", async () => (await getJson(ip, "/v1/status")).raft.role === "leader");
  const file = join(lab.directory, "levels.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const env = { NOMAD_ADDR: `http://${ip}:4646` };
  const reload = (): ReturnType<typeof run> => run(["operator", "tls", "reload"], { env });
  const status = async (): Promise<string> => {
    return (await getJson(ip, "/v1/agent/self")).config.LogLevel;
  };
  const before = await status();
  // With a certificate that is none, the level stays as it was.
  const key_file = config.tls.cert_file;
  writeFileSync(
    file,
    JSON.stringify({ ...config, log_level: "TRACE", tls: { ...config.tls, key_file } }),
  );
  expect(await reload()).toMatchObject({ code: 1 });
  expect(await status()).toBe(before);
  writeFileSync(file, JSON.stringify({ ...config, log_level: "TRACE", ports: { serf: 5648 } }));
  const { code, out } = await reload();
  expect([code, out]).toEqual([0, expect.stringContaining("only a restart takes: ports.serf")]);
  expect((await status()).toLowerCase()).toBe("trace");
  expect(agent.log).toMatch(/need a restart: settings=.*ports\.serf/);
});

test("a reload of many HCL files holds nobody up: a leader's lease is half a second", async () => {
  const ip = `${NET}.62.7`;
  const directory = lab.path("many");
  mkdirSync(directory);
  for (let i = 0; i < 6; i++) writeFileSync(join(directory, `z${i}.hcl`), `# file ${i}\n`);
  writeFileSync(
    join(directory, "a.hcl"),
    `data_dir = "${lab.path("data-many")}"\nbind_addr = "${ip}"\nserver { enabled = true }\n`,
  );
  const command = [await binary(), "agent", `-config=${directory}`];
  const agent = lab.add(Agent.start(command, { directory: lab.directory, name: "many" }));
  await until("it is up", () => getJson(ip, "/v1/agent/health"));
  const reloads = (): number => agent.log.split("reloaded: the tls block is the same").length;
  const longest: number[] = [];
  // Three tries: the machine that runs this may be busy itself.
  for (let i = 0; i < 3; i++) {
    const before = reloads();
    let worst = 0;
    agent.kill("SIGHUP");
    while (reloads() === before) {
      const start = performance.now();
      await getJson(ip, "/v1/agent/health");
      worst = Math.max(worst, performance.now() - start);
    }
    longest.push(worst);
  }
  expect(Math.min(...longest)).toBeLessThan(120);
});
