import { describe, expect, test } from "bun:test";
import type { Query, SerfMessage } from "../../src/protocol/serf/message.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { bytesOf, hex, type Json, vectors } from "../vectors.ts";

const file = vectors("gossip/serf-messages.json");
const u64 = (value: Json): bigint => BigInt(value.u64 ?? value.i64 ?? value);

function toMessage(type: string, f: Json): SerfMessage | undefined {
  switch (type) {
    case "join":
      return { kind: "join", lTime: u64(f.LTime), node: f.Node };
    case "leave":
      return { kind: "leave", lTime: u64(f.LTime), node: f.Node, prune: f.Prune };
    case "userEvent": {
      const { Name: name, CC: coalesce } = f;
      return { kind: type, lTime: u64(f.LTime), name, payload: bytesOf(f.Payload), coalesce };
    }
    case "query":
      return {
        kind: "query",
        lTime: u64(f.LTime),
        id: f.ID,
        addr: bytesOf(f.Addr),
        port: f.Port,
        sourceNode: f.SourceNode,
        filters: f.Filters?.map(bytesOf) ?? null,
        flags: f.Flags,
        relayFactor: f.RelayFactor,
        timeoutNs: u64(f.Timeout),
        name: f.Name,
        payload: bytesOf(f.Payload),
      } as Query;
    case "queryResponse": {
      const { ID: id, From: from, Flags: flags } = f;
      return { kind: type, lTime: u64(f.LTime), id, from, flags, payload: bytesOf(f.Payload) };
    }
  }
  return undefined;
}

describe("Serf's messages", () => {
  for (const one of [...file.captured, ...file.encoded]) {
    const message = one.fields === undefined ? undefined : toMessage(one.type, one.fields);
    if (message === undefined) continue;
    test(`${one.name} (${one.type}) both ways`, () => {
      // Captured packets start with memberlist's user byte, encoded ones with Serf's own.
      const bytes = one.hex.startsWith("08") && one.code !== 8 ? one.hex.slice(2) : one.hex;
      expect(serfCodec.encode(message).toHex()).toBe(bytes);
      expect(serfCodec.decode(hex(bytes))).toEqual(message);
    });
  }

  for (const one of [...file.captured, ...file.encoded]) {
    if (one.type !== "pushPull") continue;
    test(`${one.name}: push/pull state both ways`, () => {
      const state = serfCodec.decodePushPull(hex(one.hex));
      if (state === undefined) throw new Error("not decoded");
      expect(state.lTime).toBe(u64(one.fields.LTime));
      expect(state.events.length).toBe(one.fields.EventsLen);
      expect(state.leftMembers).toEqual(one.fields.LeftMembers ?? []);
      const again = serfCodec.decodePushPull(serfCodec.encodePushPull(state));
      expect(again).toEqual(state);
      // nil lists and several-key maps have no fixed bytes; the rest must be the same bytes.
      const fixed = one.fields.StatusLTimes && Object.keys(one.fields.StatusLTimes).length < 2;
      const nilEvents = one.fields.Events.some((slot: Json) => slot.event.Events === null);
      if (fixed && !nilEvents) expect(serfCodec.encodePushPull(state).toHex()).toBe(one.hex);
    });
  }

  test("relay: header, then the inner message untouched", () => {
    for (const one of [...file.captured, ...file.encoded]) {
      if (one.type !== "relay") continue;
      const bytes = one.hex.startsWith("08") ? one.hex.slice(2) : one.hex;
      const relay = serfCodec.decode(hex(bytes));
      if (relay?.kind !== "relay") throw new Error(`${one.name} is not a relay`);
      const dest = (one.header ?? one.fields.header).DestAddr;
      expect(relay.to).toEqual({ ip: bytesOf(dest.IP) ?? new Uint8Array(), port: dest.Port });
      expect(serfCodec.encode(relay).toHex()).toBe(bytes);
    }
  });

  test("filters", () => {
    for (const one of file.filters) {
      const filter = serfCodec.decodeFilter(hex(one.hex));
      if (one.type === 0) expect(filter).toEqual({ kind: "nodes", names: one.value });
      else expect(filter).toEqual({ kind: "tag", tag: one.value.Tag, expr: one.value.Expr });
      if (filter !== undefined) expect(serfCodec.encodeFilter(filter).toHex()).toBe(one.hex);
    }
  });

  test("tags", () => {
    for (const one of file.tagsDecode) {
      expect(Object.fromEntries(serfCodec.decodeTags(hex(one.meta)))).toEqual(one.tags);
    }
    for (const one of file.tags) {
      if (one.meta === undefined || one.protocol === 2) continue;
      expect(Object.fromEntries(serfCodec.decodeTags(hex(one.meta)))).toEqual(one.tags);
      const ours = serfCodec.encodeTags(new Map(Object.entries(one.tags)));
      expect(ours.length).toBe(hex(one.meta).length);
    }
  });

  test("key requests and answers", () => {
    for (const one of file.encoded) {
      if (one.type === "keyRequest") {
        const key = bytesOf(one.fields.Key) ?? new Uint8Array();
        expect(serfCodec.encodeKeyRequest(key).toHex()).toBe(one.hex);
        expect(serfCodec.decodeKeyRequest(hex(one.hex))).toEqual(key);
      } else if (one.type === "keyResponse") {
        const { Result: result, Message: message, Keys: keys, PrimaryKey: primaryKey } = one.fields;
        const response = { result, message, keys, primaryKey };
        expect(serfCodec.encodeKeyResponse(response).toHex()).toBe(one.hex);
        expect(serfCodec.decodeKeyResponse(hex(one.hex))).toEqual(response);
      }
    }
  });
});
