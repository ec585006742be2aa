/**
 * Serf's messages to bytes and back (wire/gossip.md §10.1, §10.3, §10.8). The bytes start with
 * Serf's own type byte; memberlist's user byte in front is not ours.
 *
 * @module
 */
import type {
  EventSlot,
  JoinIntent,
  LeaveIntent,
  PushPullState,
  Query,
  QueryResponse,
  Relay,
  SerfCodec,
  SerfMessage,
  UserEvent,
} from "../protocol/serf/message.ts";
import { expressionMatches } from "./expression.ts";
import { readList } from "./msgpack-list.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import {
  decodeCoordinate,
  decodeFilter,
  decodeKeyRequest,
  decodeKeyResponse,
  decodeTags,
  encodeConflict,
  encodeCoordinate,
  encodeFilter,
  encodeKeyRequest,
  encodeKeyResponse,
  encodeTags,
  SerfType,
} from "./serf-payload.ts";
import { decodeText } from "./text.ts";

const U32 = 0xffff_ffff;

const LEAVE_FIELDS = ["LTime", "Node", "Prune"];
const EVENT_FIELDS = ["LTime", "Name", "Payload", "CC"];
const QUERY_FIELDS = [
  "LTime",
  "ID",
  "Addr",
  "Port",
  "SourceNode",
  "Filters",
  "Flags",
  "RelayFactor",
  "Timeout",
  "Name",
  "Payload",
];
const RESPONSE_FIELDS = ["LTime", "ID", "From", "Flags", "Payload"];
const PUSH_PULL_FIELDS = [
  "LTime",
  "StatusLTimes",
  "LeftMembers",
  "EventLTime",
  "Events",
  "QueryLTime",
];
const RELAY_FIELDS = ["DestAddr", "DestName"];
const ADDR_FIELDS = ["IP", "Port", "Zone"];

export const serfCodec: SerfCodec = {
  encode,
  decode,
  encodePushPull,
  decodePushPull,
  encodeTags,
  decodeTags,
  decodeFilter,
  encodeFilter,
  expressionMatches,
  decodeKeyRequest,
  encodeKeyRequest,
  encodeKeyResponse,
  decodeKeyResponse,
  decodeText,
  encodeConflict,
  encodeCoordinate,
  decodeCoordinate,
};

function encode(message: SerfMessage): Uint8Array {
  const out = new MsgpackWriter();
  switch (message.kind) {
    case "leave":
      out.byte(SerfType.leave).map(3).key("LTime").uint(message.lTime);
      return out.key("Node").text(message.node).key("Prune").bool(message.prune).take();
    case "join":
      out.byte(SerfType.join).map(2).key("LTime").uint(message.lTime);
      return out.key("Node").text(message.node).take();
    case "userEvent":
      out.byte(SerfType.userEvent).map(4).key("CC").bool(message.coalesce);
      out.key("LTime").uint(message.lTime).key("Name").text(message.name);
      return out.key("Payload").raw(message.payload).take();
    case "query":
      return encodeQuery(out, message);
    case "queryResponse":
      out.byte(SerfType.queryResponse).map(5).key("Flags").uint(message.flags);
      out.key("From").text(message.from).key("ID").uint(message.id);
      out.key("LTime").uint(message.lTime);
      return out.key("Payload").raw(message.payload).take();
    case "relay":
      out.byte(SerfType.relay).map(2).key("DestAddr").map(3).key("IP").raw(message.to.ip);
      out.key("Port").int(message.to.port).key("Zone").text("");
      return out.key("DestName").text(message.name).append(message.inner).take();
  }
}

function encodeQuery(out: MsgpackWriter, query: Query): Uint8Array {
  out.byte(SerfType.query).map(11).key("Addr").raw(query.addr).key("Filters");
  if (query.filters === null) out.nil();
  else {
    out.array(query.filters.length);
    for (const filter of query.filters) out.raw(filter);
  }
  out.key("Flags").uint(query.flags).key("ID").uint(query.id).key("LTime").uint(query.lTime);
  out.key("Name").text(query.name).key("Payload").raw(query.payload);
  out.key("Port").uint(query.port).key("RelayFactor").uint(query.relayFactor);
  out.key("SourceNode").text(query.sourceNode).key("Timeout").int(query.timeoutNs);
  return out.take();
}

function decode(bytes: Uint8Array): SerfMessage | undefined {
  const reader = new MsgpackReader(bytes, 1);
  const message = decodeBody(bytes, reader);
  return reader.ok ? message : undefined;
}

function decodeBody(bytes: Uint8Array, reader: MsgpackReader): SerfMessage | undefined {
  switch (bytes[0]) {
    case SerfType.leave:
      return decodeLeave(reader);
    case SerfType.join:
      return decodeJoin(reader);
    case SerfType.userEvent:
      return decodeUserEvent(reader);
    case SerfType.query:
      return decodeQuery(reader);
    case SerfType.queryResponse:
      return decodeResponse(reader);
    case SerfType.relay:
      return decodeRelay(bytes, reader);
    default:
      return undefined;
  }
}

function decodeLeave(reader: MsgpackReader): LeaveIntent {
  let lTime = 0n;
  let node = "";
  let prune = false;
  reader.struct(LEAVE_FIELDS, (name) => {
    if (name === "LTime") lTime = reader.uint64();
    else if (name === "Node") node = reader.text();
    else prune = reader.bool();
  });
  return { kind: "leave", lTime, node, prune };
}

function decodeJoin(reader: MsgpackReader): JoinIntent {
  const { lTime, node } = decodeLeave(reader);
  return { kind: "join", lTime, node };
}

function decodeUserEvent(reader: MsgpackReader): UserEvent {
  let lTime = 0n;
  let eventName = "";
  let payload: Uint8Array | null = null;
  let coalesce = false;
  reader.struct(EVENT_FIELDS, (name) => {
    if (name === "LTime") lTime = reader.uint64();
    else if (name === "Name") eventName = reader.text();
    else if (name === "Payload") payload = reader.raw()?.slice() ?? null;
    else coalesce = reader.bool();
  });
  return { kind: "userEvent", lTime, name: eventName, payload, coalesce };
}

function decodeQuery(reader: MsgpackReader): Query {
  let [lTime, timeoutNs] = [0n, 0n];
  let [id, port, flags, relayFactor] = [0, 0, 0, 0];
  let [sourceNode, queryName] = ["", ""];
  let addr: Uint8Array | null = null;
  let payload: Uint8Array | null = null;
  let filters: Uint8Array[] | null = null;
  reader.struct(QUERY_FIELDS, (name) => {
    if (name === "LTime") lTime = reader.uint64();
    else if (name === "ID") id = reader.uint(U32);
    else if (name === "Addr") addr = reader.raw()?.slice() ?? null;
    else if (name === "Port") port = reader.uint(0xffff);
    else if (name === "SourceNode") sourceNode = reader.text();
    else if (name === "Filters") filters = readList(reader, () => reader.raw()?.slice());
    else if (name === "Flags") flags = reader.uint(U32);
    else if (name === "RelayFactor") relayFactor = reader.uint(0xff);
    else if (name === "Timeout") timeoutNs = reader.int64();
    else if (name === "Name") queryName = reader.text();
    else payload = reader.raw()?.slice() ?? null;
  });
  return {
    kind: "query",
    lTime,
    id,
    addr,
    port,
    sourceNode,
    filters,
    flags,
    relayFactor,
    timeoutNs,
    name: queryName,
    payload,
  };
}

function decodeResponse(reader: MsgpackReader): QueryResponse {
  let lTime = 0n;
  let [id, flags] = [0, 0];
  let from = "";
  let payload: Uint8Array | null = null;
  reader.struct(RESPONSE_FIELDS, (name) => {
    if (name === "LTime") lTime = reader.uint64();
    else if (name === "ID") id = reader.uint(U32);
    else if (name === "From") from = reader.text();
    else if (name === "Flags") flags = reader.uint(U32);
    else payload = reader.raw()?.slice() ?? null;
  });
  return { kind: "queryResponse", lTime, id, from, flags, payload };
}

function decodeRelay(bytes: Uint8Array, reader: MsgpackReader): Relay {
  let ip: Uint8Array = new Uint8Array(0);
  let port = 0;
  let destName = "";
  reader.struct(RELAY_FIELDS, (name) => {
    if (name === "DestName") {
      destName = reader.text();
      return;
    }
    reader.struct(ADDR_FIELDS, (part) => {
      if (part === "IP") ip = reader.raw()?.slice() ?? ip;
      else if (part === "Port") port = reader.int(0, 0xffff);
      else reader.skip();
    });
  });
  return { kind: "relay", to: { ip, port }, name: destName, inner: bytes.slice(reader.at) };
}

function encodePushPull(state: PushPullState): Uint8Array {
  const out = new MsgpackWriter(2048).byte(SerfType.pushPull).map(6);
  out.key("EventLTime").uint(state.eventLTime).key("Events").array(state.events.length);
  for (const slot of state.events) encodeSlot(out, slot);
  out.key("LTime").uint(state.lTime).key("LeftMembers").array(state.leftMembers.length);
  for (const name of state.leftMembers) out.text(name);
  out.key("QueryLTime").uint(state.queryLTime);
  out.key("StatusLTimes").map(state.statusLTimes.size);
  for (const [name, lTime] of state.statusLTimes) out.text(name).uint(lTime);
  return out.take();
}

function encodeSlot(out: MsgpackWriter, slot: EventSlot | null): void {
  if (slot === null) {
    out.nil();
    return;
  }
  out.map(2).key("Events").array(slot.events.length);
  for (const event of slot.events) {
    out.map(2).key("Name").text(event.name).key("Payload").raw(event.payload);
  }
  out.key("LTime").uint(slot.lTime);
}

function decodePushPull(bytes: Uint8Array): PushPullState | undefined {
  if (bytes[0] !== SerfType.pushPull) return undefined;
  const reader = new MsgpackReader(bytes, 1);
  let [lTime, eventLTime, queryLTime] = [0n, 0n, 0n];
  const statusLTimes = new Map<string, bigint>();
  let leftMembers: string[] = [];
  let events: (EventSlot | null)[] = [];
  reader.struct(PUSH_PULL_FIELDS, (name) => {
    if (name === "LTime") lTime = reader.uint64();
    else if (name === "EventLTime") eventLTime = reader.uint64();
    else if (name === "QueryLTime") queryLTime = reader.uint64();
    else if (name === "LeftMembers") leftMembers = readList(reader, () => reader.text()) ?? [];
    else if (name === "Events") events = readList(reader, () => decodeSlot(reader)) ?? [];
    else {
      const count = reader.map();
      for (let i = 0; i < count && reader.ok; i++) statusLTimes.set(reader.text(), reader.uint64());
    }
  });
  if (!reader.ok) return undefined;
  return { lTime, statusLTimes, leftMembers, eventLTime, events, queryLTime };
}

function decodeSlot(reader: MsgpackReader): EventSlot | null {
  if (reader.nil()) return null;
  let lTime = 0n;
  let events: { name: string; payload: Uint8Array | null }[] = [];
  reader.struct(["LTime", "Events"], (field) => {
    if (field === "LTime") lTime = reader.uint64();
    else events = readList(reader, () => decodeSlotEvent(reader)) ?? [];
  });
  return { lTime, events };
}

function decodeSlotEvent(reader: MsgpackReader): { name: string; payload: Uint8Array | null } {
  let name = "";
  let payload: Uint8Array | null = null;
  reader.struct(["Name", "Payload"], (field) => {
    if (field === "Name") name = reader.text();
    else payload = reader.raw()?.slice() ?? null;
  });
  return { name, payload };
}
