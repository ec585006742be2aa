/**
 * memberlist messages to bytes and back (wire/gossip.md §3 and §4).
 *
 * Fields are written in ascending byte order of their names; tables below are in declaration order,
 * which is the order of a struct that comes as an array.
 *
 * @module
 */
import type {
  Ack,
  Alive,
  Dead,
  IndirectPing,
  Message,
  NodeState,
  PeerState,
  Ping,
  Source,
  Suspect,
} from "../protocol/swim/message.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** Type bytes of packets and streams (wire/gossip.md §2). */
export const MessageType = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  hasCrc: 12,
  err: 13,
  hasLabel: 244,
} as const;

const U32_MAX = 0xffff_ffff;
const U16_MAX = 0xffff;
const I64_SAFE = Number.MAX_SAFE_INTEGER;
const STATES: readonly NodeState[] = ["alive", "suspect", "dead", "left"];

const PING_FIELDS = ["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"];
const INDIRECT_FIELDS = [
  "SeqNo",
  "Target",
  "Port",
  "Node",
  "Nack",
  "SourceAddr",
  "SourcePort",
  "SourceNode",
];
const ACK_FIELDS = ["SeqNo", "Payload"];
const ACCUSATION_FIELDS = ["Incarnation", "Node", "From"];
const ALIVE_FIELDS = ["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"];
const HEADER_FIELDS = ["Nodes", "UserStateLen", "Join"];
const STATE_FIELDS = ["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"];

const encoded = new WeakMap<Message, Uint8Array>();

/** Type byte and body. Cached: a broadcast is sent many times, and its size is asked before. */
export function encodeMessage(message: Message): Uint8Array {
  const known = encoded.get(message);
  if (known !== undefined) return known;
  const bytes = encodeFresh(message);
  encoded.set(message, bytes);
  return bytes;
}

function encodeFresh(message: Message): Uint8Array {
  const out = new MsgpackWriter(128);
  switch (message.kind) {
    case "ping":
      return encodePing(out, message);
    case "indirectPing":
      return encodeIndirectPing(out, message);
    case "ack":
      out.byte(MessageType.ack).map(2);
      return out.key("Payload").raw(message.payload).key("SeqNo").uint(message.seqNo).take();
    case "nack":
      return out.byte(MessageType.nack).map(1).key("SeqNo").uint(message.seqNo).take();
    case "suspect":
      return encodeAccusation(out.byte(MessageType.suspect), message);
    case "dead":
      return encodeAccusation(out.byte(MessageType.dead), message);
    case "alive":
      out.byte(MessageType.alive).map(6);
      out.key("Addr").raw(message.addr).key("Incarnation").uint(message.incarnation);
      out.key("Meta").raw(message.meta).key("Node").text(message.node);
      return out.key("Port").uint(message.port).key("Vsn").raw(message.vsn).take();
    case "user":
      return out.byte(MessageType.user).append(message.body).take();
  }
}

function encodePing(out: MsgpackWriter, ping: Ping): Uint8Array {
  out.byte(MessageType.ping).map(2 + sourceCount(ping));
  out.key("Node").text(ping.node).key("SeqNo").uint(ping.seqNo);
  return encodeSource(out, ping).take();
}

function encodeIndirectPing(out: MsgpackWriter, ping: IndirectPing): Uint8Array {
  out.byte(MessageType.indirectPing).map(5 + sourceCount(ping));
  out.key("Nack").bool(ping.nack).key("Node").text(ping.node).key("Port").uint(ping.port);
  out.key("SeqNo").uint(ping.seqNo);
  return encodeSource(out, ping).key("Target").raw(ping.target).take();
}

function sourceCount(source: Source): number {
  return (
    (source.sourceAddr?.length ? 1 : 0) + (source.sourcePort ? 1 : 0) + (source.sourceNode ? 1 : 0)
  );
}

/** Each of the three is left out when empty, on its own (Go's omitempty). */
function encodeSource(out: MsgpackWriter, source: Source): MsgpackWriter {
  if (source.sourceAddr?.length) out.key("SourceAddr").raw(source.sourceAddr);
  if (source.sourceNode) out.key("SourceNode").text(source.sourceNode);
  if (source.sourcePort) out.key("SourcePort").uint(source.sourcePort);
  return out;
}

function encodeAccusation(out: MsgpackWriter, message: Suspect | Dead): Uint8Array {
  out.map(3).key("From").text(message.from).key("Incarnation").uint(message.incarnation);
  return out.key("Node").text(message.node).take();
}

/** One leaf message, or undefined if its type is not a leaf or its body cannot be read. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const type = bytes[0];
  if (type === MessageType.user) return { kind: "user", body: bytes.slice(1) };
  const reader = new MsgpackReader(bytes, 1);
  const message = decodeBody(type, reader);
  return reader.ok ? message : undefined;
}

function decodeBody(type: number | undefined, reader: MsgpackReader): Message | undefined {
  switch (type) {
    case MessageType.ping:
      return decodePing(reader);
    case MessageType.indirectPing:
      return decodeIndirectPing(reader);
    case MessageType.ack:
      return decodeAck(reader);
    case MessageType.nack: {
      const ack = decodeAck(reader);
      return { kind: "nack", seqNo: ack.seqNo };
    }
    case MessageType.suspect:
      return { kind: "suspect", ...decodeAccusation(reader) };
    case MessageType.dead:
      return { kind: "dead", ...decodeAccusation(reader) };
    case MessageType.alive:
      return decodeAlive(reader);
    default:
      return undefined;
  }
}

interface MutableSource {
  sourceAddr?: Uint8Array;
  sourcePort?: number;
  sourceNode?: string;
}

/** Reads a source field; false if `name` is not one. */
function readSource(into: MutableSource, name: string, reader: MsgpackReader): boolean {
  if (name === "SourceAddr") {
    const addr = reader.raw();
    if (addr !== null && addr.length > 0) into.sourceAddr = addr.slice();
  } else if (name === "SourcePort") {
    const port = reader.uint(U16_MAX);
    if (port !== 0) into.sourcePort = port;
  } else if (name === "SourceNode") {
    const node = reader.text();
    if (node !== "") into.sourceNode = node;
  } else {
    return false;
  }
  return true;
}

function decodePing(reader: MsgpackReader): Ping {
  let seqNo = 0;
  let node = "";
  const source: MutableSource = {};
  reader.struct(PING_FIELDS, (name) => {
    if (readSource(source, name, reader)) return;
    if (name === "SeqNo") seqNo = reader.uint(U32_MAX);
    else node = reader.text();
  });
  return { kind: "ping", seqNo, node, ...source };
}

function decodeIndirectPing(reader: MsgpackReader): IndirectPing {
  let seqNo = 0;
  let target: Uint8Array = new Uint8Array(0);
  let port = 0;
  let node = "";
  let nack = false;
  const source: MutableSource = {};
  reader.struct(INDIRECT_FIELDS, (name) => {
    if (readSource(source, name, reader)) return;
    if (name === "SeqNo") seqNo = reader.uint(U32_MAX);
    else if (name === "Target") target = reader.raw()?.slice() ?? target;
    else if (name === "Port") port = reader.uint(U16_MAX);
    else if (name === "Node") node = reader.text();
    else nack = reader.bool();
  });
  return { kind: "indirectPing", seqNo, target, port, node, nack, ...source };
}

function decodeAck(reader: MsgpackReader): Ack {
  let seqNo = 0;
  let payload: Uint8Array | null = null;
  reader.struct(ACK_FIELDS, (name) => {
    if (name === "SeqNo") seqNo = reader.uint(U32_MAX);
    else payload = reader.raw()?.slice() ?? null;
  });
  return { kind: "ack", seqNo, payload };
}

function decodeAccusation(reader: MsgpackReader): {
  incarnation: number;
  node: string;
  from: string;
} {
  let incarnation = 0;
  let node = "";
  let from = "";
  reader.struct(ACCUSATION_FIELDS, (name) => {
    if (name === "Incarnation") incarnation = reader.uint(U32_MAX);
    else if (name === "Node") node = reader.text();
    else from = reader.text();
  });
  return { incarnation, node, from };
}

function decodeAlive(reader: MsgpackReader): Alive {
  let incarnation = 0;
  let node = "";
  let addr: Uint8Array | null = null;
  let port = 0;
  let meta: Uint8Array | null = null;
  let vsn: Uint8Array | null = null;
  reader.struct(ALIVE_FIELDS, (name) => {
    if (name === "Incarnation") incarnation = reader.uint(U32_MAX);
    else if (name === "Node") node = reader.text();
    else if (name === "Addr") addr = reader.raw()?.slice() ?? null;
    else if (name === "Port") port = reader.uint(U16_MAX);
    else if (name === "Meta") meta = reader.raw()?.slice() ?? null;
    else vsn = reader.raw()?.slice() ?? null;
  });
  return { kind: "alive", incarnation, node, addr, port, meta, vsn };
}

export interface PushPullHeader {
  readonly nodes: number;
  readonly userStateBytes: number;
  readonly join: boolean;
}

export function encodePushPullHeader(out: MsgpackWriter, header: PushPullHeader): void {
  out.map(3).key("Join").bool(header.join).key("Nodes").int(header.nodes);
  out.key("UserStateLen").int(header.userStateBytes);
}

export function decodePushPullHeader(reader: MsgpackReader): PushPullHeader {
  let nodes = 0;
  let userStateBytes = 0;
  let join = false;
  reader.struct(HEADER_FIELDS, (name) => {
    if (name === "Nodes") nodes = reader.int(-I64_SAFE, I64_SAFE);
    else if (name === "UserStateLen") userStateBytes = reader.int(-I64_SAFE, I64_SAFE);
    else join = reader.bool();
  });
  return { nodes, userStateBytes, join };
}

export function encodePeerState(out: MsgpackWriter, state: PeerState): void {
  out.map(7).key("Addr").raw(state.addr).key("Incarnation").uint(state.incarnation);
  out.key("Meta").raw(state.meta).key("Name").text(state.name).key("Port").uint(state.port);
  out.key("State").int(state.state === "unknown" ? STATES.length : STATES.indexOf(state.state));
  out.key("Vsn").raw(state.vsn);
}

export function decodePeerState(reader: MsgpackReader): PeerState {
  let name = "";
  let addr: Uint8Array | null = null;
  let port = 0;
  let meta: Uint8Array | null = null;
  let incarnation = 0;
  let state: PeerState["state"] = "alive";
  let vsn: Uint8Array | null = null;
  reader.struct(STATE_FIELDS, (field) => {
    if (field === "Name") name = reader.text();
    else if (field === "Addr") addr = reader.raw()?.slice() ?? null;
    else if (field === "Port") port = reader.uint(U16_MAX);
    else if (field === "Meta") meta = reader.raw()?.slice() ?? null;
    else if (field === "Incarnation") incarnation = reader.uint(U32_MAX);
    else if (field === "State") state = STATES[reader.int(-I64_SAFE, I64_SAFE)] ?? "unknown";
    else vsn = reader.raw()?.slice() ?? null;
  });
  return { name, addr, port, meta, incarnation, state, vsn };
}
