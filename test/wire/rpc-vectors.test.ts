/** Every recorded RPC of a real Nomad 2.0.5, read by its Go types and written again, byte for byte. */
import { describe, expect, test } from "bun:test";
import { decodeValue, encodeValue } from "../../src/wire/codec.ts";
import { MsgpackReader } from "../../src/wire/msgpack-reader.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from "../../src/wire/rpc-frame.ts";
import { hex, type Json, vectors } from "../vectors.ts";
import { allTypes, fsmType, goCodec, methodTypes } from "./go-schema.ts";

/** Value to value with maps sorted: Go writes a map in an order of its own each time. */
function canonical(bytes: Uint8Array): string {
  const reader = new MsgpackReader(bytes);
  const text = value(reader);
  expect(reader.ok).toBe(true);
  expect(reader.at).toBe(bytes.length);
  return text;
}

function value(reader: MsgpackReader): string {
  const head = reader.peek();
  if ((head & 0xf0) === 0x80 || head === 0xde || head === 0xdf) {
    const count = reader.map();
    const pairs = Array.from({ length: count }, () => `${value(reader)}=${value(reader)}`);
    return `{${pairs.sort().join()}}`;
  }
  if ((head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd) {
    const count = reader.array();
    return `[${Array.from({ length: count }, () => value(reader)).join()}]`;
  }
  return reader.skipped().toHex();
}

/** Read by its type and written again. */
function again(type: string, body: Uint8Array): string {
  const codec = goCodec(type);
  const read = decodeValue(codec, body);
  if (read === undefined) throw new Error(`${type} cannot be read`);
  return encodeValue(codec, read).toHex();
}

/** A real server writes this one field, `[][]hw.Cost`, as `[[10]]` or as raw bytes, by its mood. */
const COSTS_AS_ARRAY = "a944697374616e63657391910a";

function expectSame(type: string, recorded: Uint8Array): void {
  const body = hex(recorded.toHex().replace(COSTS_AS_ARRAY, "a944697374616e63657391a10a"));
  const written = again(type, body);
  expect(canonical(hex(written))).toBe(canonical(body));
  expect(written.length).toBe(body.length * 2);
}

const recorded: Json[] = [
  ...vectors("rpc/rpc-calls.json"),
  ...vectors("rpc/probe-minimal-client.json"),
];

describe("recorded calls", () => {
  for (const call of vectors("rpc/rpc-calls.json")) {
    test(`${call.name}: request`, () => {
      const read = decodeRequest(hex(call.hex));
      if (read.kind !== "frame") throw new Error(read.kind);
      expect(read.bytes).toBe(call.hex.length / 2);
      const { frame } = read;
      expect(frame.method).toBe(call.decoded.header.ServiceMethod);
      expect(encodeRequest(frame).toHex()).toBe(call.hex);
      expectSame(methodTypes(frame.method)?.Args ?? "none", frame.body);
    });
  }
  for (const call of recorded) {
    if (call.response_hex === undefined) continue;
    test(`${call.name}: response`, () => {
      const read = decodeResponse(hex(call.response_hex));
      if (read.kind !== "frame") throw new Error(read.kind);
      const { frame } = read;
      expect(frame.error).toBe(call.response.header.Error);
      expect(encodeResponse(frame).toHex()).toBe(call.response_hex);
      if (frame.error !== "") return expect(frame.body.toHex()).toBe("80");
      expectSame(methodTypes(frame.method)?.Reply ?? "none", frame.body);
    });
  }
  test("requests in every form that a real server takes", () => {
    for (const call of vectors("rpc/probe-minimal-client.json")) {
      if (call.hex === undefined) continue;
      const bytes = hex(call.hex).subarray(call.hex.startsWith("01") ? 1 : 0); // A stream's byte.
      const read = decodeRequest(bytes);
      if (read.kind !== "frame") throw new Error(`${call.name}: ${read.kind}`);
      expect(read.bytes).toBe(bytes.length);
      expect(read.frame.method).toBe(call.response.header.ServiceMethod);
      expect(Number(read.frame.seq)).toBe(call.response.header.Seq);
    }
  });
});

describe("the Raft log of a real cluster", () => {
  for (const entry of vectors("rpc/raft-log.json")) {
    if (entry.decoded?.msg_type === null || entry.decoded?.msg_type === undefined) continue;
    test(`${entry.name}: ${entry.note}`, () => {
      const data = hex(entry.decoded.data_hex);
      expectSame(fsmType((data[0] ?? 0) & 0x7f) ?? "none", data.subarray(1));
    });
  }
});

test("each record of a real FSM snapshot", () => {
  const [{ snapshot_hex, records }] = vectors("rpc/raft-snapshot.json");
  const bytes = hex(snapshot_hex);
  expect(bytes[0]).toBe(0x80);
  const reader = new MsgpackReader(bytes, 1);
  for (const record of records) {
    expect(reader.at).toBe(record.offset);
    expect(bytes[reader.at]).toBe(record.type);
    reader.uint(0xff);
    reader.skip();
    expect(reader.at).toBe(record.offset + record.len);
  }
  expect(reader.ok).toBe(true);
  expect(reader.at).toBe(bytes.length);
});

test("the zero value of each of Nomad's types survives the way there and back", () => {
  for (const type of allTypes) {
    const codec = goCodec(type);
    const bytes = encodeValue(codec, codec.zero);
    expect(again(type, bytes)).toBe(bytes.toHex());
  }
  expect(allTypes.length).toBe(640);
});
