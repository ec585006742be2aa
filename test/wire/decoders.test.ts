/** Bytes from strangers: every decoder refuses, none throws, whatever comes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeMessage } from "../../src/wire/gossip-message.ts";
import { decodePacket } from "../../src/wire/gossip-packet.ts";
import { StreamParser } from "../../src/wire/gossip-stream.ts";
import { MsgpackReader } from "../../src/wire/msgpack-reader.ts";
import { MsgpackWriter } from "../../src/wire/msgpack-writer.ts";
import { decodeRequest, decodeResponse } from "../../src/wire/rpc-frame.ts";
import { decodeQueryOptions, decodeServerMembers } from "../../src/wire/rpc-status.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { decodeText, encodeText } from "../../src/wire/text.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const clear = { label: new Uint8Array(0), open: undefined, verifyIncoming: true };

const decoders: Record<string, (bytes: Uint8Array) => unknown> = {
  message: decodeMessage,
  packet: (bytes) => decodePacket(bytes, clear),
  stream: (bytes) => new StreamParser({ ...clear, expectLabelHeader: true }).push(bytes),
  serf: serfCodec.decode,
  "serf push/pull": serfCodec.decodePushPull,
  tags: serfCodec.decodeTags,
  filter: serfCodec.decodeFilter,
  "key request": serfCodec.decodeKeyRequest,
  "key response": serfCodec.decodeKeyResponse,
  "rpc request": decodeRequest,
  "rpc response": decodeResponse,
  "query options": decodeQueryOptions,
  members: decodeServerMembers,
  text: decodeText,
};

/** Real messages, for bytes that get past the first check. */
const real: Uint8Array[] = [
  ...vectors("gossip/gossip-messages.json").captured.map((one: Json) => hex(one.hex)),
  ...vectors("gossip/serf-messages.json").captured.map((one: Json) => hex(one.hex)),
  ...vectors("gossip/pushpull-stream.json").joins.map((one: Json) => hex(one.stream[0].hex)),
];

const mutated = fc
  .record({
    base: fc.constantFrom(...real),
    flips: fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 255 })), { maxLength: 6 }),
    cut: fc.nat(2000),
  })
  .map(({ base, flips, cut }) => {
    const bytes = base.slice(0, Math.max(1, base.length - (cut % base.length)));
    for (const [at, mask] of flips) {
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ mask;
    }
    return bytes;
  });

describe("no decoder throws", () => {
  for (const [name, decode] of Object.entries(decoders)) {
    test(`${name}: random bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          decode(bytes);
        }),
        { numRuns: 500 },
      );
    });
    test(`${name}: damaged messages`, () => {
      fc.assert(
        fc.property(mutated, (bytes) => {
          decode(bytes);
        }),
        { numRuns: 500 },
      );
    });
  }
  test("nesting without end is refused, not followed", () => {
    const reader = new MsgpackReader(new Uint8Array(100_000).fill(0x91));
    reader.skip();
    expect(reader.state).toBe("bad");
  });
});

describe("text keeps every byte", () => {
  test("any byte string comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(encodeText(decodeText(bytes))).toEqual(bytes);
      }),
    );
  });
  test("different bytes stay different names", () => {
    expect(decodeText(hex("61ff62"))).not.toBe(decodeText(hex("61fe62")));
    expect(decodeText(new TextEncoder().encode("knoten-ä"))).toBe("knoten-ä");
  });
});

test("integers come back exactly, in Go's shortest form", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const bytes = new MsgpackWriter().uint(value).take();
      expect(new MsgpackReader(bytes).uint64()).toBe(value);
      expect(bytes.length).toBe(
        value < 128n ? 1 : value < 256n ? 2 : value < 65536n ? 3 : value < 2n ** 32n ? 5 : 9,
      );
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(new MsgpackReader(new MsgpackWriter().int(value).take()).int64()).toBe(value);
    }),
  );
});
