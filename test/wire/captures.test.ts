/** Bytes that other binaries put on real sockets: serf 0.9.4 and Nomad 2.0.5. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../src/host/digest.ts";
import { systemEntropy } from "../../src/host/entropy.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { nativeAead } from "../../src/secret/native-aead.ts";
import { Sealer } from "../../src/service/gossip/sealer.ts";
import { decodeMessage, encodeMessage } from "../../src/wire/gossip-message.ts";
import {
  encodeStreamBody,
  type StreamDecoding,
  StreamParser,
} from "../../src/wire/gossip-stream.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const file = vectors("gossip/gossip-interop-captures.json");
const clear: StreamDecoding = {
  label: new Uint8Array(0),
  expectLabelHeader: true,
  open: undefined,
  verifyIncoming: true,
};

function readStream(how: StreamDecoding, bytes: Uint8Array): { body: string; states: Json[] } {
  const read = new StreamParser(how).push(bytes);
  if (read.kind !== "message" || read.message.kind !== "pushPull") throw new Error(read.kind);
  const { states, userState } = read.message;
  const serf = serfCodec.decodePushPull(userState);
  if (serf === undefined) throw new Error("the Serf state cannot be read");
  // Written anew by us, inside and outside.
  const message = { ...read.message, userState: serfCodec.encodePushPull(serf) };
  const seen = states.map(({ name, meta }) => ({
    Name: name,
    _tags: Object.fromEntries(serfCodec.decodeTags(meta)),
  }));
  return { body: encodeStreamBody(message).toHex(), states: seen };
}

const nodesOf = (decoded: Json): Json[] =>
  decoded.nodes.map(({ Name, _tags }: Json) => ({ Name, _tags }));

/** The one thing that codecs have changed since: Go's int was written as uint where it could. */
function sameBytes(ours: string, theirs: string): void {
  const [length, timeout] = ["5573657253746174654c656e", "54696d656f7574"]; // Keys, in ASCII.
  const modern = theirs
    .replace(`${length}cd024b`, `${length}d1024b`)
    .replace(`${timeout}ce`, `${timeout}d2`);
  expect(ours).toBe(modern);
}

describe("read and written anew, the bytes are the same", () => {
  for (const one of [...file.serf094, ...file.nomad]) {
    test(one.name, () => {
      if (one.decoded.type === "pushPull") {
        const { body, states } = readStream(clear, hex(one.hex));
        sameBytes(body, one.hex);
        expect(states).toEqual(nodesOf(one.decoded));
        return;
      }
      const message = decodeMessage(hex(one.hex));
      if (message === undefined) throw new Error("not read");
      if (message.kind !== "user") {
        expect(message.kind).toBe(one.decoded.type);
        expect(encodeMessage(message).toHex()).toBe(one.hex);
        return;
      }
      const inner = serfCodec.decode(message.body);
      if (inner === undefined) throw new Error("not a Serf message");
      expect(`serf.${inner.kind}`).toBe(one.decoded.type);
      const body = serfCodec.encode(inner);
      sameBytes(encodeMessage({ kind: "user", body }).toHex(), one.hex);
    });
  }
});

describe("what the oldest codec takes, we take", () => {
  for (const [i, one] of file.serf094Accepts.entries()) {
    if (!one.accepted) continue;
    test(one.name, () => {
      // They are numbered as they were sent.
      expect(decodeMessage(hex(one.hex))).toMatchObject({ kind: "ping", seqNo: 5001 + i });
    });
  }
});

test("an encrypted join of Nomad opens, and says what it says in the clear", () => {
  for (const one of file.nomadEncrypted) {
    const key = makeKey(hex(one.key), sha256);
    if (isKeyFault(key)) throw new Error(key.kind);
    const sealer = new Sealer(new Keyring([key]), nativeAead, systemEntropy);
    const how = { ...clear, open: sealer.opener() };
    const answer = readStream({ ...how, expectLabelHeader: false }, hex(one.acceptor));
    expect(answer.body).toBe(one.acceptorInner);
    expect(answer.states).toEqual(nodesOf(one.acceptorDecoded));
    expect(new StreamParser(how).push(hex(one.dialer))).toMatchObject({
      kind: "message",
      sealed: true,
      message: { kind: "pushPull", join: true },
    });
  }
});
