import { describe, expect, test } from "bun:test";
import type { Message } from "../../src/protocol/swim/message.ts";
import {
  decodeMessage,
  decodePeerState,
  decodePushPullHeader,
  encodeMessage,
  encodePeerState,
  encodePushPullHeader,
} from "../../src/wire/gossip-message.ts";
import { MsgpackReader } from "../../src/wire/msgpack-reader.ts";
import { MsgpackWriter } from "../../src/wire/msgpack-writer.ts";
import { bytesOf, hex, type Json, vectors } from "../vectors.ts";

const file = vectors("gossip/gossip-messages.json");
const STATES = ["alive", "suspect", "dead", "left"];

/** A vector's fields as our message. */
function toMessage(type: string, f: Json): Message | undefined {
  const source = {
    ...(f.SourceAddr ? { sourceAddr: bytesOf(f.SourceAddr) ?? undefined } : {}),
    ...(f.SourcePort ? { sourcePort: f.SourcePort } : {}),
    ...(f.SourceNode ? { sourceNode: f.SourceNode } : {}),
  } as object;
  switch (type) {
    case "ping":
      return { kind: "ping", seqNo: f.SeqNo, node: f.Node, ...source };
    case "indirectPing": {
      const target = bytesOf(f.Target);
      if (target === null) return undefined; // Go's nil target: we always have an address.
      const { SeqNo: seqNo, Port: port, Node: node, Nack: nack } = f;
      return { kind: "indirectPing", seqNo, target, port, node, nack, ...source };
    }
    case "ack":
      return { kind: "ack", seqNo: f.SeqNo, payload: bytesOf(f.Payload) };
    case "nack":
      return { kind: "nack", seqNo: f.SeqNo };
    case "suspect":
    case "dead":
      return { kind: type, incarnation: f.Incarnation, node: f.Node, from: f.From };
    case "alive":
      return {
        kind: "alive",
        incarnation: f.Incarnation,
        node: f.Node,
        addr: bytesOf(f.Addr),
        port: f.Port,
        meta: bytesOf(f.Meta),
        vsn: bytesOf(f.Vsn),
      };
    case "user":
      return { kind: "user", body: bytesOf(f.body ?? f) ?? new Uint8Array() };
  }
  return undefined;
}

describe("messages of the real library", () => {
  for (const one of [...file.captured, ...file.encoded]) {
    if (one.type === "err") continue; // A stream message: gossip-stream.test.ts.
    test(`${one.name} encodes to the recorded bytes and decodes from them`, () => {
      const message = toMessage(one.type, one.fields);
      if (message === undefined) {
        expect(decodeMessage(hex(one.hex))).toMatchObject({ kind: one.type });
        return;
      }
      expect(encodeMessage(message).toHex()).toBe(one.hex);
      expect(decodeMessage(hex(one.hex))).toEqual(message);
    });
  }
});

describe("structures inside streams", () => {
  for (const one of file.bare) {
    const f = one.fields;
    test(`${one.name} (${one.struct})`, () => {
      const out = new MsgpackWriter();
      const reader = new MsgpackReader(hex(one.hex));
      if (one.struct === "pushPullHeader") {
        const header = { nodes: f.Nodes, userStateBytes: f.UserStateLen, join: f.Join };
        encodePushPullHeader(out, header);
        expect(decodePushPullHeader(reader)).toEqual(header);
      } else if (one.struct === "userMsgHeader") {
        out.map(1).key("UserMsgLen").int(f.UserMsgLen);
        let length = -1;
        reader.struct(["UserMsgLen"], () => {
          length = reader.int(0, 2 ** 40);
        });
        expect(length).toBe(f.UserMsgLen);
      } else {
        const state = {
          name: f.Name,
          addr: bytesOf(f.Addr),
          port: f.Port,
          meta: bytesOf(f.Meta),
          incarnation: f.Incarnation,
          state: STATES[f.State] as "alive",
          vsn: bytesOf(f.Vsn),
        };
        encodePeerState(out, state);
        expect(decodePeerState(reader)).toEqual(state);
      }
      expect(out.take().toHex()).toBe(one.hex);
      expect(reader.ok).toBe(true);
    });
  }
});
