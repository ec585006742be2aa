/** What a server meets from whoever means no good, or knows no better: for the soak. */

import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { encodeRequest } from "../../src/wire/rpc-frame.ts";
import { nodeListRequest } from "../../src/wire/rpc-node.ts";
import { NET } from "../addresses.ts";
import { hex } from "../vectors.ts";
import type { TestCa } from "./certificates.ts";

export interface Nuisance {
  readonly pauseMs: number;
  readonly work: () => Promise<unknown> | unknown;
  readonly stop: () => void;
}

/** Connections that a stranger keeps open at once, of each kind. */
const KEPT = 60;
/** They are many, and none of them is who looks at the servers. */
const from = () => ({ localAddress: `${NET}.80.${1 + Math.floor(Math.random() * 20)}` });
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));
const one = <T>(of: readonly T[]): T | undefined => of[Math.floor(Math.random() * of.length)];

/** Sockets that are left lying about, the oldest cut off when there are many. */
class Left {
  readonly #sockets: Socket[] = [];

  keep(socket: Socket): void {
    socket.on("error", () => undefined);
    socket.resume();
    this.#sockets.push(socket);
    if (this.#sockets.length > KEPT) this.#sockets.shift()?.destroy();
  }

  stop(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }
}

/** Says something and then nothing, not even goodbye. */
function halfOpen(ips: readonly string[], port: number, say: () => Uint8Array): Nuisance {
  const left = new Left();
  return {
    pauseMs: 25,
    work() {
      const socket = connect({ ...from(), host: one(ips) ?? "", port, allowHalfOpen: true });
      socket.once("connect", () => socket.write(say()));
      left.keep(socket);
    },
    stop: () => left.stop(),
  };
}

function packets(ips: readonly string[]): Nuisance {
  const socket = createSocket("udp4");
  return {
    pauseMs: 10,
    work() {
      for (let i = 0; i < 50; i++) socket.send(random(1 + Math.random() * 1200), 4648, one(ips));
    },
    stop: () => socket.close(),
  };
}

const list = encodeValue(
  nodeListRequest,
  structOf(nodeListRequest, { Region: "global", MinQueryIndex: 1n << 40n }),
);
const blocking = encodeRequest({ seq: 1n, method: "Node.List", body: list });

/** yamux frames of one byte of payload each, on a stream of its own for each call. */
function byteByByte(stream: number, bytes: Uint8Array): Uint8Array {
  const frames = [hex(`000100010000000${stream.toString(16)}00000000`)];
  for (const byte of Uint8Array.of(1, ...bytes)) {
    const head = hex(`000000000000000${stream.toString(16)}00000001`);
    frames.push(head, Uint8Array.of(byte));
  }
  return Buffer.concat(frames);
}

/** The holder of a certificate: blocking queries on streams that are then cut off. */
async function certified(ips: readonly string[], ca: TestCa): Promise<Nuisance> {
  const file = (name: string): Promise<string> => Bun.file(`${ca.directory}/${name}`).text();
  const left = new Left();
  const identity = {
    ca: await file("nomad-agent-ca.pem"),
    cert: await file("global-server-nomad.pem"),
    key: await file("global-server-nomad-key.pem"),
  };
  return {
    pauseMs: 100,
    work() {
      const plain = connect({ ...from(), host: one(ips) ?? "", port: 4647 });
      plain.on("error", () => undefined);
      plain.once("connect", () => {
        plain.write(Uint8Array.of(4));
        const how = { socket: plain, ...identity, checkServerIdentity: () => undefined };
        const socket = connectTls(how, () => {
          const streams = [1, 3, 5, 7].map((stream) => byteByByte(stream, blocking));
          socket.write(Buffer.concat([Uint8Array.of(6), ...streams]));
        });
        left.keep(socket);
      });
    },
    stop: () => left.stop(),
  };
}

export async function nuisances(ips: readonly string[], ca: TestCa): Promise<Nuisance[]> {
  const host = (path: string, more = ""): Uint8Array =>
    ascii(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`);
  const upload = ascii(
    "PUT /v1/agent/join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n\r\nabc",
  );
  return [
    packets(ips),
    halfOpen(ips, 4648, () => hex("0600000000")),
    halfOpen(ips, 4648, () => Buffer.concat([hex("0a00100000"), random(20_000)])),
    halfOpen(
      ips,
      4647,
      () => one([Uint8Array.of(4), hex("04160301020001"), random(100)]) ?? random(1),
    ),
    halfOpen(ips, 4646, () => host("/v1/agent/health", "Connection: close\r\n")),
    halfOpen(ips, 4646, () => host("/v1/nodes?index=99999999&wait=5m")),
    halfOpen(ips, 4646, () => host("/v1/agent/monitor?log_level=trace")),
    halfOpen(ips, 4646, () => one([upload, ascii("junk\r\n\r\n"), host("/v1/node/%ff")]) ?? upload),
    await certified(ips, ca),
  ];
}
