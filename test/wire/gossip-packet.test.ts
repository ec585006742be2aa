import { describe, expect, test } from "bun:test";
import { sha256 } from "../../src/host/digest.ts";
import { systemEntropy } from "../../src/host/entropy.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { nativeAead } from "../../src/secret/native-aead.ts";
import { portableAead } from "../../src/secret/portable-aead.ts";
import { openPayload, sealPayload, sealPayloadV0 } from "../../src/secret/seal.ts";
import { compareProviders } from "../../src/secret/self-test.ts";
import { Sealer } from "../../src/service/gossip/sealer.ts";
import { compress, decompress } from "../../src/wire/compress.ts";
import { decodeMessage, encodeMessage } from "../../src/wire/gossip-message.ts";
import { decodePacket, makeCompound, splitCompound } from "../../src/wire/gossip-packet.ts";
import { addLabel, splitLabel } from "../../src/wire/label.ts";
import { lzwCompress } from "../../src/wire/lzw.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const NO_LABEL = new Uint8Array(0);

function ring(keys: string[]): Keyring {
  return new Keyring(
    keys.map((text) => {
      const key = makeKey(hex(text), sha256);
      if (isKeyFault(key)) throw new Error(`vector key: ${key.kind}`);
      return key;
    }),
  );
}

const clear = { label: NO_LABEL, open: undefined, verifyIncoming: true };

describe("packets", () => {
  for (const one of vectors("gossip/gossip-messages.json").packets) {
    test(`${one.name} opens to its leaves`, () => {
      const opened = decodePacket(hex(one.hex), clear);
      expect(opened.refusals).toEqual([]);
      expect(opened.messages.map((leaf) => leaf.toHex())).toEqual(
        one.leaves.map((leaf: Json) => leaf.hex),
      );
    });
  }
  for (const one of vectors("gossip/gossip-messages.json").compound) {
    test(`compound ${one.name} packs to the recorded bytes`, () => {
      const parts: Uint8Array[] = one.parts.map(hex);
      const packets: string[] = [];
      for (let at = 0; at < parts.length; at += 255) {
        packets.push(makeCompound(parts.slice(at, at + 255)).toHex());
      }
      expect(packets).toEqual(one.packets);
    });
  }
  for (const one of vectors("gossip/gossip-messages.json").compoundDecode) {
    test(`compound ${one.name}`, () => {
      const { parts, truncated } = splitCompound(hex(one.hex).subarray(1));
      expect(parts.map((part) => part.toHex())).toEqual(one.parts);
      if (one.error) expect(truncated).toBe(-1);
      else expect(truncated).toBe(one.truncatedParts);
    });
  }
});

describe("what a real node tolerates", () => {
  for (const one of vectors("gossip/gossip-acceptance.json").cases) {
    // Rules about versions and incarnations are the state machine's: swim.test.ts.
    if (/^alive-(incarnation-0|vsn-min)/.test(one.name)) continue;
    test(`${one.name}: ${one.note}`, () => {
      const { messages } = decodePacket(hex(one.hex), clear);
      const decoded = messages.map(decodeMessage).filter((message) => message !== undefined);
      expect(decoded.length > 0).toBe(one.accepted);
      const seq = /"SeqNo":(\d+)/.exec(one.observed[0] ?? "")?.[1];
      if (seq !== undefined) expect(decoded[0]).toMatchObject({ kind: "ping", seqNo: Number(seq) });
      const users = one.observed
        .map((text: string) => /^delegate message ([0-9a-f]*)$/.exec(text)?.[1])
        .filter((text: string | undefined) => text !== undefined);
      const bodies = decoded.map((m) => (m.kind === "user" ? m.body.toHex() : undefined));
      if (users.length > 0) expect(bodies.toReversed()).toEqual(users);
    });
  }
});

describe("LZW", () => {
  for (const one of vectors("gossip/gossip-compress.json").cases) {
    const input = inputOf(one.input);
    test(`${one.name}: ${one.inputLen} bytes, both ways`, () => {
      expect(sha256(input).toHex()).toBe(one.inputSha256);
      const lzw = lzwCompress(input);
      expect(sha256(lzw).toHex()).toBe(one.lzwSha256);
      const opened = decompress(compress(input).subarray(1), 1 << 20);
      expect(opened).toEqual(input);
    });
  }
  for (const one of vectors("gossip/gossip-compress.json").decode) {
    test(`decode ${one.name}: ${one.result}`, () => {
      const opened = decompress(hex(one.body), 1 << 20);
      if (one.result === "ok") expect((opened as Uint8Array).toHex()).toBe(one.output);
      else expect(typeof opened).toBe("string");
    });
  }
  test("a bomb stops at the limit", () => {
    const bomb = compress(new Uint8Array(1 << 20));
    expect(bomb.length).toBeLessThan(4096);
    expect(decompress(bomb.subarray(1), 1 << 16)).toBe("bad");
  });

  test("many in one packet cost about what one does; a bad part alone costs its neighbours nothing", () => {
    const how = { label: new Uint8Array(0), open: undefined, verifyIncoming: true };
    const cost = (parts: readonly Uint8Array[]): number => {
      const packet = new Uint8Array(makeCompound(parts));
      const startedAt = performance.now();
      expect(decodePacket(packet, how).messages).toEqual([]);
      return performance.now() - startedAt;
    };
    const bomb = compress(new Uint8Array(8 << 20));
    const [one = 0] = [1, 2, 3, 4, 5].map(() => cost([bomb])).sort((a, b) => b - a);
    const [many = 0] = [1, 2, 3].map(() => cost(new Array(200).fill(bomb))).sort((a, b) => a - b);
    expect(many).toBeLessThan(20 * one + 20);
    const message = Uint8Array.of(8, 1, 2, 3);
    const parts = [bomb, bomb, compress(message)];
    expect(decodePacket(new Uint8Array(makeCompound(parts)), how)).toMatchObject({
      messages: [message],
      refusals: ["compression", "compression"],
    });
  });
});

function inputOf(spec: Json): Uint8Array {
  if (spec.hex !== undefined) return hex(spec.hex);
  if (spec.repeat !== undefined) {
    return new TextEncoder().encode(String(spec.repeat).repeat(spec.times));
  }
  if (spec.lcg !== undefined) {
    let x = spec.lcg;
    return Uint8Array.from({ length: spec.len }, () => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      return x >>> 24;
    });
  }
  const bytes = new Uint8Array(spec.pairs);
  for (let i = 1; i < bytes.length; i++) {
    bytes[i] = (bytes[i - 1] ?? 0) + 1 + 2 * Math.floor((i - 1) / 256);
  }
  return bytes;
}

describe("AES-GCM payloads", () => {
  const file = vectors("gossip/gossip-encrypt.json");
  for (const aead of [nativeAead, portableAead]) {
    test(`${aead.name}: every recorded payload, sealed and opened`, () => {
      for (const one of file.payloads) {
        const seal = one.vsn === 0 ? sealPayloadV0 : sealPayload;
        const [key, nonce, plain, aad] = [one.key, one.nonce, one.plaintext, one.aad].map(hex);
        const args = [key, nonce, plain, aad] as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
        expect(seal(aead, ...args).toHex()).toBe(one.payload);
        const opened = openPayload(aead, ring([one.key]), hex(one.payload), hex(one.aad));
        expect(opened).toEqual(new Uint8Array(hex(one.plaintext)));
      }
    });
  }
  for (const one of file.negative) {
    test(`${one.name}: ${one.note}`, () => {
      const opened = openPayload(nativeAead, ring(one.keys), hex(one.payload), hex(one.aad));
      if (one.result === "ok") expect((opened as Uint8Array).toHex()).toBe(one.plaintext);
      else expect(typeof opened).toBe("string");
    });
  }
  test("any key of the ring opens", () => {
    for (const one of file.keyring) {
      const opened = openPayload(nativeAead, ring(one.keys), hex(one.payload), NO_LABEL);
      expect((opened as Uint8Array).toHex()).toBe(one.plaintext);
    }
  });
  test("whole packets open to their inner message", () => {
    for (const one of file.packets) {
      const keys = ring([one.key]);
      const opened = decodePacket(hex(one.packet), {
        label: new TextEncoder().encode(one.label),
        open: new Sealer(keys, nativeAead, systemEntropy).opener(),
        verifyIncoming: true,
      });
      expect(opened.sealed).toBe(true);
      const inner = decodePacket(hex(one.inner), clear);
      expect(opened.messages.map((m) => m.toHex())).toEqual(inner.messages.map((m) => m.toHex()));
    }
  });
  for (const one of file.verifySwitches) {
    const { gossipVerifyIncoming, gossipVerifyOutgoing, input, delivered, sentPlain } = one;
    const [verifyIncoming, verifyOutgoing] = [
      gossipVerifyIncoming ?? true,
      gossipVerifyOutgoing ?? true,
    ];
    const ours = ["11".repeat(16), "22".repeat(16)];
    const sealer = (keys: string[]): Sealer =>
      new Sealer(ring(keys), nativeAead, systemEntropy, { verifyIncoming, verifyOutgoing });
    const plain = hex("0801020304");

    if (input === undefined) {
      test(`verify_outgoing ${gossipVerifyOutgoing}: sent in clear is ${sentPlain}`, () => {
        expect(sealer(ours).layer() === undefined).toBe(sentPlain);
      });
      continue;
    }
    test(`verify_incoming ${gossipVerifyIncoming}: ${input} delivered is ${delivered}`, () => {
      const keys: Record<string, string[]> = {
        "right-key": ours.slice(0, 1),
        "second-key": ours.slice(1),
        "wrong-key": ["33".repeat(16)],
      };
      const senders = keys[input];
      const sealed = senders && sealer(senders).layer()?.seal(plain, NO_LABEL);
      const open = sealer(ours).opener();
      const opened = decodePacket(sealed ?? plain, { label: NO_LABEL, open, verifyIncoming });
      // What does not open is read as plaintext: its version byte, 1, is also an indirect ping's.
      const heard = opened.messages.filter((leaf) => decodeMessage(leaf) !== undefined);
      expect(heard.map((leaf) => leaf.toHex())).toEqual(delivered ? [plain.toHex()] : []);
    });
  }
  test("an unopened packet is told from clear traffic, whatever its nonce", () => {
    const how = { label: NO_LABEL, open: () => undefined, verifyIncoming: true };
    const ping = encodeMessage({ kind: "ping", seqNo: 1, node: "a" });
    expect(decodePacket(ping, how).refusals).toEqual(["plaintext"]);
    const key = new Uint8Array(16);
    for (const nonce of ["82a5536571", "82a4ff", "820000", "000000"]) {
      const padded = hex(nonce.padEnd(24, "0"));
      const sealed = sealPayload(nativeAead, key, padded, ping, NO_LABEL);
      expect(decodePacket(sealed, how).refusals).toEqual(["no-key-opens"]);
    }
  });
  test("the two providers agree, and the self-test notices when they do not", () => {
    expect(compareProviders(nativeAead, portableAead)).toBeUndefined();
    const broken = { ...nativeAead, seal: () => new Uint8Array(16) };
    expect(compareProviders(broken, portableAead)).toContain("seals differently");
  });
});

describe("labels", () => {
  const file = vectors("gossip/gossip-label.json");
  test("add", () => {
    for (const one of file.add) {
      if (one.error) continue; // Longer than 255: refused when configured.
      const label = new TextEncoder().encode(one.label);
      expect(addLabel(label, hex(one.packet)).toHex()).toBe(one.out);
    }
  });
  for (const one of file.remove) {
    test(`remove ${one.name}`, () => {
      const split = splitLabel(hex(one.packet));
      if (one.error) {
        expect(split.kind).not.toBe("labelled");
      } else if (split.kind === "labelled") {
        expect(new TextDecoder().decode(split.label)).toBe(one.label);
        expect(split.rest.toHex()).toBe(one.rest);
      } else {
        throw new Error(`not split: ${split.kind}`);
      }
    });
  }
  test("a packet with another label is refused", () => {
    const encoder = new TextEncoder();
    for (const one of file.behaviour) {
      if (one.skipInboundLabelCheck) continue; // Something in front strips it; Nomad never does.
      const packet = addLabel(encoder.encode(one.packetLabel), hex("0801"));
      const label = encoder.encode(one.configuredLabel);
      const opened = decodePacket(packet, { ...clear, label });
      expect(opened.messages.length === 1).toBe(one.delivered);
    }
  });
});
