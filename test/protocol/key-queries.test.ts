/** Key queries as a real node answered them, byte for byte. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../src/host/digest.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import type { KeyQueryResult } from "../../src/protocol/serf/action.ts";
import { NOMAD_SERF } from "../../src/protocol/serf/config.ts";
import { type KeyKeeper, keyQuestion, keyResult } from "../../src/protocol/serf/key-queries.ts";
import { Serf } from "../../src/protocol/serf/serf.ts";
import { LAN } from "../../src/protocol/swim/config.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { bytesOf, hex, type Json, vectors } from "../vectors.ts";

const file = vectors("gossip/serf-messages.json");
const RAW = { ip: hex("0a000063"), port: 7946 };

/** The agent's keeper without its file. */
function keeper(ring: Keyring): KeyKeeper {
  const change = (bytes: Uint8Array, apply: "add" | "use" | "remove"): string | undefined => {
    const key = makeKey(bytes, sha256);
    if (isKeyFault(key)) return "key size must be 16, 24 or 32 bytes";
    return ring[apply](key) ?? undefined;
  };
  return {
    install: (bytes) => change(bytes, "add"),
    use: (bytes) => change(bytes, "use"),
    remove: (bytes) => change(bytes, "remove"),
    list: () => ring.keys.map((key) => key.base64),
  };
}

function createSerf(name: string, ring: Keyring): Serf {
  const serf = new Serf({
    name,
    address: { ip: hex("0a050002"), port: 4648 },
    tags: new Map([["role", "nomad"]]),
    swim: { ...LAN, pushPullIntervalMs: 0 },
    config: NOMAD_SERF,
    prng: createPrng(1),
    codec: serfCodec,
    keys: keeper(ring),
    sizeOf: (message) => encodeMessage(message).length,
    overheadBytes: () => 0,
    refuseMember: () => undefined,
  });
  serf.start(0);
  serf.drain();
  return serf;
}

function answersTo(serf: Serf, body: Uint8Array): string[] {
  serf.receive(RAW, { kind: "user", body }, 1);
  return serf.drain().flatMap((action) => {
    const [message] = action.kind === "send" ? action.messages : [];
    return message?.kind === "user" ? [message.body.toHex()] : [];
  });
}

describe("recorded queries", () => {
  const first = makeKey(
    bytesOf(file.queries[8].payload?.Key ?? file.queries[8].query.payload.Key) ?? new Uint8Array(),
    sha256,
  );
  if (isKeyFault(first)) throw new Error("the vectors have another order");
  const ring = new Keyring([first]);
  const serf = createSerf("k2", ring);
  for (const one of file.queries) {
    if (one.query === undefined || one.response === undefined || one.name.startsWith("conflict")) {
      continue;
    }
    test(one.name, () => {
      if (one.name === "list-truncated") {
        // The recording installed more keys before; the answer names them all, in order.
        const listed = serfCodec.decode(hex(one.response.hex));
        const payload = listed?.kind === "queryResponse" ? listed.payload : null;
        const total = Number(
          /of (\d+) keys/.exec(serfCodec.decodeKeyResponse(payload)?.message ?? "")?.[1],
        );
        expect(total).toBeGreaterThan(18);
        const keys = serfCodec.decodeKeyResponse(payload)?.keys ?? [];
        for (const text of keys) {
          const key = makeKey(Uint8Array.fromBase64(text), sha256);
          if (!isKeyFault(key)) ring.add(key);
        }
        for (let i = ring.keys.length; i < total; i++) {
          const key = makeKey(new Uint8Array(32).fill(i), sha256);
          if (!isKeyFault(key)) ring.add(key);
        }
      }
      expect(answersTo(serf, hex(one.query.hex))).toEqual([one.response.hex]);
    });
  }

  test("the same query again is not answered again", () => {
    expect(answersTo(serf, hex(file.queries[0].query.hex))).toEqual([]);
  });
});

test("conflict queries are answered about others, never about ourselves", () => {
  const serf = createSerf("s1.global", new Keyring([]));
  const alive = {
    kind: "alive",
    node: "s2.global",
    incarnation: 1,
    addr: hex("0a050002"),
    port: 4648,
    meta: serfCodec.encodeTags(new Map([["role", "nomad"]])),
    vsn: hex("010502020504"),
  } as const;
  serf.receive(RAW, alive, 1);
  serf.drain();
  for (const one of file.queries.filter((q: Json) => q.name.startsWith("conflict"))) {
    const answers = answersTo(serf, hex(one.query.hex));
    expect([one.name, answers]).toEqual([one.name, one.response ? [one.response.hex] : []]);
    // Each uses the same id and time: a fresh node would see them as new.
  }
});

test("a relayed answer is passed on untouched", () => {
  const one = file.queries.find((q: Json) => q.name === "relay-forwarded");
  const serf = createSerf("x", new Keyring([]));
  expect(answersTo(serf, hex(one.in))).toEqual([one.forwardedPacket.slice(2)]);
});

test("our own key query collects one answer a member, ourselves included", () => {
  const key = makeKey(new Uint8Array(16).fill(1), sha256);
  if (isKeyFault(key)) throw new Error("bad key");
  const serf = createSerf("a", new Keyring([key]));
  const id = serf.ask(keyQuestion("list", new Uint8Array(0), serfCodec), 10);
  let result: KeyQueryResult | undefined;
  for (const action of serf.drain()) {
    // The answer to ourselves travels as a packet to our own address.
    if (action.kind === "send")
      for (const message of action.messages) serf.receive(RAW, message, 11);
  }
  for (const action of serf.drain()) {
    if (action.kind !== "query-result" || action.id !== id) continue;
    result = keyResult(action.result, serfCodec);
  }
  expect(result?.expected).toBe(1);
  expect(result?.answers.get("a")).toEqual({
    result: true,
    message: "",
    keys: [key.base64],
    primaryKey: key.base64,
  });
});
