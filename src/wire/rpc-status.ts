/** Bodies of the Status methods, and what all requests share (wire/rpc-and-raft.md §4.1, §5.1). */
import { sameBytes } from "../protocol/bytes.ts";
import {
  bool,
  decodeValue,
  encodeValue,
  int32,
  int64,
  list,
  mapOf,
  raw,
  small,
  struct,
  structOf,
  text,
  time,
  uint64,
  unixTime,
  type ValueOf,
} from "./codec.ts";
import { formatDurationMs, parseDurationMs } from "./duration.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** Flat in every read request. */
export const queryFields = {
  AllowStale: bool,
  AuthToken: text,
  Filter: text,
  Forwarded: bool,
  MaxQueryTime: int64,
  MinQueryIndex: uint64,
  Namespace: text,
  NextToken: text,
  PerPage: int32,
  Prefix: text,
  Region: text,
  Reverse: bool,
};

/** Flat in every request that changes something. */
export const writeFields = {
  AuthToken: text,
  Forwarded: bool,
  IdempotencyToken: text,
  Namespace: text,
  Region: text,
};

/** Flat in every answer to a read request. */
export const queryMeta = { Index: uint64, KnownLeader: bool, LastContact: int64, NextToken: text };

export const queryOptions = struct(queryFields);
export type QueryOptions = ValueOf<typeof queryOptions>;

export function encodeQueryOptions(fields: Partial<QueryOptions>): Uint8Array {
  return encodeValue(queryOptions, structOf(queryOptions, fields));
}

/**
 * What decides where a request goes; undefined: the body is no struct. Nor is one by the order of
 * its fields, as nobody sends it: each method has another order, and would see other values in it.
 */
export function decodeQueryOptions(body: Uint8Array): QueryOptions | undefined {
  if (remembered !== undefined && sameBytes(body, remembered.body)) return remembered.options;
  const isArray = new MsgpackReader(body).array() >= 0;
  const options = isArray ? undefined : decodeValue(queryOptions, body);
  // Tokens stay nowhere longer than they have to.
  if (options?.AuthToken === "" && body.length <= REMEMBERED_BYTES_MAX) {
    remembered = { body: new Uint8Array(body), options };
  }
  return options;
}

/** Pollers ask the same again and again. */
let remembered: { readonly body: Uint8Array; readonly options: QueryOptions } | undefined;
/** About what the options alone take. */
const REMEMBERED_BYTES_MAX = 256;

/** The same request on its way to another server. */
export function markForwarded(body: Uint8Array): Uint8Array {
  return withField(body, "Forwarded", TRUE);
}

/** The same request with one field more: every other field as it came, known or not. */
export function withField(body: Uint8Array, name: string, value: Uint8Array): Uint8Array {
  const reader = new MsgpackReader(body);
  const pairs = reader.map();
  if (!reader.ok || pairs < 0) return body; // Sent as an array: it cannot say where it has been.
  const fields = new Map<string, Uint8Array>();
  for (let i = 0; i < pairs && reader.ok; i++) fields.set(reader.text(), reader.skipped());
  fields.set(name, value);
  const out = new MsgpackWriter(body.length + value.length + 16).map(fields.size);
  for (const [key, bytes] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    out.text(key).append(bytes);
  }
  return out.take();
}

const TRUE = Uint8Array.of(0xc3);

export interface ServerMember {
  readonly name: string;
  readonly addr: Uint8Array;
  readonly port: number;
  readonly tags: ReadonlyMap<string, string>;
  readonly status: string;
  /** memberlist minimum, maximum, current, Serf minimum, maximum, current. */
  readonly versions: Uint8Array;
}

export interface ServerMembers {
  readonly serverName: string;
  readonly serverRegion: string;
  readonly serverDc: string;
  readonly members: readonly ServerMember[];
}

const serverMember = struct({
  Addr: raw,
  DelegateCur: small,
  DelegateMax: small,
  DelegateMin: small,
  Name: text,
  Port: small,
  ProtocolCur: small,
  ProtocolMax: small,
  ProtocolMin: small,
  Status: text,
  Tags: mapOf(text),
});

const serverMembers = struct({
  Members: list(serverMember),
  ServerDC: text,
  ServerName: text,
  ServerRegion: text,
});

export function encodeServerMembers(reply: ServerMembers): Uint8Array {
  return encodeValue(serverMembers, {
    Members: reply.members.map(toWire),
    ServerDC: reply.serverDc,
    ServerName: reply.serverName,
    ServerRegion: reply.serverRegion,
  });
}

function toWire(member: ServerMember): ValueOf<typeof serverMember> {
  const [pmin = 0, pmax = 0, pcur = 0, dmin = 0, dmax = 0, dcur = 0] = member.versions;
  return {
    Addr: member.addr,
    DelegateCur: dcur,
    DelegateMax: dmax,
    DelegateMin: dmin,
    Name: member.name,
    Port: member.port,
    ProtocolCur: pcur,
    ProtocolMax: pmax,
    ProtocolMin: pmin,
    Status: member.status,
    Tags: member.tags,
  };
}

export function decodeServerMembers(body: Uint8Array): ServerMembers | undefined {
  const reply = decodeValue(serverMembers, body);
  if (reply === undefined) return undefined;
  return {
    serverName: reply.ServerName,
    serverRegion: reply.ServerRegion,
    serverDc: reply.ServerDC,
    members: (reply.Members ?? []).map((one) => ({
      name: one.Name,
      addr: one.Addr ?? new Uint8Array(0),
      port: one.Port & 0xffff,
      tags: one.Tags ?? new Map(),
      status: one.Status,
      versions: Uint8Array.of(
        one.ProtocolMin,
        one.ProtocolMax,
        one.ProtocolCur,
        one.DelegateMin,
        one.DelegateMax,
        one.DelegateCur,
      ),
    })),
  };
}

const nodeConn = struct({ Connected: bool, Established: time, ...queryMeta });

/** Status.HasNodeConn. @param sinceMs Unix time; undefined: the node is not connected here */
export function encodeNodeConn(sinceMs: number | undefined): Uint8Array {
  if (sinceMs === undefined) return encodeValue(nodeConn, nodeConn.zero);
  const Established = unixTime(BigInt(Math.floor(sinceMs / 1000)));
  return encodeValue(nodeConn, structOf(nodeConn, { Connected: true, Established }));
}

export function decodeNodeConn(bytes: Uint8Array): boolean {
  return decodeValue(nodeConn, bytes)?.Connected === true;
}

const nodeNamed = struct({ ...queryFields, NodeID: text });

export function encodeNodeNamed(NodeID: string, Region: string): Uint8Array {
  return encodeValue(nodeNamed, structOf(nodeNamed, { NodeID, Region }));
}

/** Of any request that is about one node; "" where it names none. */
export function decodeNodeNamed(body: Uint8Array): string {
  return decodeValue(nodeNamed, body)?.NodeID ?? "";
}

/** `[]string`; nil when empty, as Go's nil slice. */
export function encodeTexts(texts: readonly string[]): Uint8Array {
  return encodeValue(list(text), texts.length === 0 ? null : texts);
}

export function encodeText(value: string): Uint8Array {
  return encodeValue(text, value);
}

/** `struct{}` */
export function encodeEmpty(): Uint8Array {
  return encodeValue(EMPTY, {});
}

const EMPTY = struct({});

/** undefined: not a text. */
export function decodeText(body: Uint8Array): string | undefined {
  return decodeValue(text, body);
}

/** undefined: not a list of texts. */
export function decodeTexts(body: Uint8Array): readonly string[] | undefined {
  const texts = decodeValue(list(text), body);
  return texts === undefined ? undefined : (texts ?? []);
}

export interface RaftStats {
  /** Since a leader's last word; undefined: never. */
  readonly lastContactMs: number | undefined;
  readonly lastIndex: bigint;
  readonly lastTerm: bigint;
}

/** Its LastContact is a Go duration as text, unlike all others. */
const raftStats = struct({ LastContact: text, LastIndex: uint64, LastTerm: uint64 });

export function encodeRaftStats({ lastContactMs, lastIndex, lastTerm }: RaftStats): Uint8Array {
  const micros = Math.round((lastContactMs ?? 0) * 1000) / 1000;
  const known = lastContactMs === 0 ? "0" : formatDurationMs(micros);
  const LastContact = lastContactMs === undefined ? "never" : known;
  return encodeValue(raftStats, { LastContact, LastIndex: lastIndex, LastTerm: lastTerm });
}

export function decodeRaftStats(body: Uint8Array): RaftStats | undefined {
  const read = decodeValue(raftStats, body);
  if (read === undefined) return undefined;
  const { LastContact, LastIndex: lastIndex, LastTerm: lastTerm } = read;
  return { lastContactMs: parseDurationMs(LastContact), lastIndex, lastTerm };
}
