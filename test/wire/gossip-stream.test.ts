import { describe, expect, test } from "bun:test";
import { sha256 } from "../../src/host/digest.ts";
import { systemEntropy } from "../../src/host/entropy.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { nativeAead } from "../../src/secret/native-aead.ts";
import { Sealer } from "../../src/service/gossip/sealer.ts";
import {
  encodeStream,
  encodeStreamBody,
  type StreamDecoding,
  StreamParser,
  type StreamProgress,
} from "../../src/wire/gossip-stream.ts";
import { bytesOf, hex, type Json, vectors } from "../vectors.ts";

const file = vectors("gossip/pushpull-stream.json");
const NONE = new Uint8Array(0);

function decoding(keyHex: Json, label: string, expectLabelHeader: boolean): StreamDecoding {
  const key = keyHex === null ? undefined : makeKey(bytesOf(keyHex) ?? new Uint8Array(), sha256);
  const ring = new Keyring(key === undefined || isKeyFault(key) ? [] : [key]);
  const open = new Sealer(ring, nativeAead, systemEntropy).opener();
  return { label: new TextEncoder().encode(label), expectLabelHeader, open, verifyIncoming: true };
}

/** Fed whole, and in pieces of every small size: the outcome must be the same. */
function parse(how: StreamDecoding, bytes: Uint8Array): StreamProgress {
  const whole = new StreamParser(how).push(bytes);
  for (const size of [1, 2, 7, 100]) {
    const parser = new StreamParser(how);
    let progress: StreamProgress = { kind: "more" };
    for (let at = 0; at < bytes.length && progress.kind === "more"; at += size) {
      progress = parser.push(bytes.subarray(at, at + size));
    }
    expect(progress).toEqual(whole);
  }
  return whole;
}

const of = (stream: Json[], dir: string): Uint8Array =>
  hex(
    stream
      .filter((one) => one.dir === dir)
      .map((one) => one.hex)
      .join(""),
  );

describe("whole joins between real nodes", () => {
  for (const join of file.joins) {
    for (const dir of ["dialer", "acceptor"] as const) {
      test(`${join.name}: what the ${dir} wrote`, () => {
        const how = decoding(join.key, join.label, dir === "dialer");
        const read = parse(how, of(join.stream, dir));
        if (read.kind !== "message" || read.message.kind !== "pushPull") {
          throw new Error(JSON.stringify(read));
        }
        const wanted = join[dir];
        expect(read.sealed).toBe(join.key !== null);
        expect(read.message.join).toBe(wanted.header.Join);
        expect(read.message.userState.length).toBe(wanted.header.UserStateLen);
        expect(read.message.states.map((state) => state.name)).toEqual(
          wanted.nodes.map((node: Json) => node.Name),
        );
        // Our own encoder writes the same bytes below the layers.
        expect(encodeStreamBody(read.message).toHex()).toBe(join[`${dir}Inner`]);
      });
    }
  }
});

describe("user messages", () => {
  for (const one of file.userMessages) {
    test(one.name, () => {
      const read = parse(decoding(one.key, one.label, true), of(one.stream, "dialer"));
      if (read.kind !== "message" || read.message.kind !== "user") throw new Error(read.kind);
      expect(read.message.body).toEqual(bytesOf(one.dialer.body) ?? new Uint8Array());
      expect(encodeStreamBody(read.message).toHex()).toBe(one.dialerInner);
    });
  }
});

describe("what is refused, and why", () => {
  const reasons: Record<string, string> = {
    "dialer-plain-acceptor-encrypted": "plaintext",
    "dialer-encrypted-acceptor-plain": "unexpected-encryption",
    "different-keys": "no-key-opens",
    "different-labels": "label",
    "same-key-labels-differ-in-presence": "label",
    "upshift-dialer-plain-out": "plaintext",
  };
  for (const one of file.errors) {
    if (one.joined || one.acceptorVerifyIncoming === false) continue;
    test(one.name, () => {
      const how = decoding(one.acceptorKey, one.acceptorLabel, true);
      const read = parse(how, of(one.stream, "dialer"));
      expect(read).toEqual({ kind: "refused", reason: reasons[one.name] ?? "unlisted" } as never);
    });
  }
});

describe("a scripted dialler", () => {
  for (const one of file.raw) {
    test(`${one.name}: ${one.note}`, () => {
      const read = parse(decoding(null, "", true), hex(one.dialer));
      const message = read.kind === "message" ? read.message.kind : read.kind;
      const answered = one.acceptorDecoded?.type;
      if (answered === "ack") expect(message).toBe("ping");
      if (answered === "pushPull") expect(message).toBe("pushPull");
      if (one.name.startsWith("compressed-g") || one.name.startsWith("compressed-e")) {
        expect(message).toBe("refused");
      }
      if (/unknown-type|negative|encrypted-unconf|crc-not|label-unexp/.test(one.name)) {
        expect(message).toBe("refused");
      }
      if (/^user/.test(one.name)) expect(message).toBe("user");
    });
  }
});

test("lengths that lie are refused before anything is allocated", () => {
  const how = decoding(null, "", true);
  const push = (text: string): StreamProgress => new StreamParser(how).push(hex(text));
  // 2^31 nodes; 2^31 bytes of user state; a frame of 4 GiB.
  const header = (nodes: string, user: string): string =>
    `0683a44a6f696ec2a54e6f646573${nodes}ac5573657253746174654c656e${user}`;
  expect(push(header("d27fffffff", "00"))).toEqual({ kind: "refused", reason: "too-much" });
  expect(push(header("00", "d27fffffff"))).toEqual({ kind: "refused", reason: "too-much" });
  const sealed = new StreamParser(decoding({ hex: "00".repeat(16) }, "", true));
  expect(sealed.push(hex("0affffffff"))).toEqual({ kind: "refused", reason: "too-much" });
});

describe("pieces", () => {
  const key = { hex: "01".repeat(16) };
  const body = new Uint8Array(2 * 1024 * 1024).map((_, i) => i * 7);

  /** Bytes held at most, on the way to the message. */
  function drip(parser: StreamParser, bytes: Uint8Array, size: number): number {
    let most = 0;
    for (let at = 0; at < bytes.length; at += size) {
      const progress = parser.push(bytes.slice(at, at + size));
      if (progress.kind === "message") {
        const { message } = progress;
        if (message.kind === "user") expect(Buffer.compare(message.body, body)).toBe(0);
        return most;
      }
      if (progress.kind !== "more") throw new Error(progress.reason);
      most = Math.max(most, parser.heldBytes);
    }
    throw new Error("no message");
  }

  // Work that grew with the square of the bytes would take hours here.
  test("a large message in small pieces costs its bytes twice, and holds them once", () => {
    const message = { kind: "user", body } as const;
    const plain = encodeStream(message, { compress: false, seal: undefined, label: NONE });
    const packed = encodeStream(message, { compress: true, seal: undefined, label: NONE });
    const made = makeKey(bytesOf(key) ?? NONE, sha256);
    const ring = new Keyring(isKeyFault(made) ? [] : [made]);
    const seal = new Sealer(ring, nativeAead, systemEntropy).layer();
    const sealed = encodeStream(message, { compress: false, seal, label: NONE });
    for (const size of [20, 1000, 70_000]) {
      expect(drip(new StreamParser(decoding(null, "", true)), plain, size)).toBeLessThan(2.2e6);
      expect(drip(new StreamParser(decoding(null, "", true)), packed, size)).toBeLessThan(
        packed.length + 70_000,
      );
      expect(drip(new StreamParser(decoding(key, "", true)), sealed, size)).toBeLessThan(2.2e6);
    }
  });

  test("node states are counted with what they take, not only with their bytes", () => {
    const state = { name: "n", addr: null, port: 1, meta: null, incarnation: 1, vsn: null };
    const states = Array.from({ length: 10_000 }, () => ({ ...state, state: "alive" as const }));
    const message = { kind: "pushPull", join: false, states, userState: NONE } as const;
    const bytes = encodeStream(message, { compress: false, seal: undefined, label: NONE });
    const parser = new StreamParser(decoding(null, "", true));
    expect(parser.push(bytes.subarray(0, -10))).toEqual({ kind: "more" });
    expect(parser.heldBytes).toBeGreaterThan(3_000_000);
    expect(parser.push(bytes.subarray(-10)).kind).toBe("message");
  });
});
