/**
 * What travels on a Raft connection: a type byte and a map, answered by an error text and a map
 * (wire/rpc-and-raft.md §8). hashicorp/raft v1.7.3, protocol version 3.
 *
 * @module
 */
import {
  bool,
  type Codec,
  exact,
  int64,
  list,
  raw,
  small,
  struct,
  type ValueOf,
  YEAR_1970,
} from "./codec.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

export const RaftType = {
  appendEntries: 0,
  requestVote: 1,
  installSnapshot: 2,
  timeoutNow: 3,
  requestPreVote: 4,
} as const;
export type RaftType = (typeof RaftType)[keyof typeof RaftType];

/** Seconds since 1970 and nanoseconds; null is Go's zero time. */
type AppendedAt = { readonly seconds: bigint; readonly nanos: number } | null;

const SECONDS_34 = 0x4_0000_0000n;

/** go-msgpack's own time: 4, 8 or 12 bytes, as small as it fits. */
const appendedAt: Codec<AppendedAt> = {
  zero: null,
  write(out, value) {
    if (value === null) return void out.nil();
    const { seconds, nanos } = value;
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    if (seconds < 0n || seconds >= SECONDS_34) {
      view.setUint32(0, nanos);
      view.setBigInt64(4, seconds);
      return void out.raw(bytes);
    }
    if (nanos === 0 && seconds <= 0xffff_ffffn) {
      view.setUint32(0, Number(seconds));
      return void out.raw(bytes.subarray(0, 4));
    }
    view.setBigUint64(0, (BigInt(nanos) << 34n) | seconds);
    out.raw(bytes.subarray(0, 8));
  },
  read(reader) {
    const bytes = reader.raw();
    if (bytes === null) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length === 4) return { seconds: BigInt(view.getUint32(0)), nanos: 0 };
    if (bytes.length === 8) {
      const both = view.getBigUint64(0);
      return { seconds: both & (SECONDS_34 - 1n), nanos: Number(both >> 34n) };
    }
    if (bytes.length === 12) return { seconds: view.getBigInt64(4), nanos: view.getUint32(0) };
    // The form of RPC bodies, which hashicorp/raft writes unless it is told otherwise.
    if (bytes.length === 15 && bytes[0] === 1) {
      const seconds = view.getBigInt64(1) - YEAR_1970;
      return { seconds, nanos: view.getUint32(9) };
    }
    reader.refuse();
    return null;
  },
};

/** In every request and answer. Addresses and ids are bytes: two are equal if their bytes are. */
const header = { Addr: raw, ID: raw, ProtocolVersion: small };

export const raftLog = struct({
  AppendedAt: appendedAt,
  Data: raw,
  Extensions: raw,
  Index: exact,
  Term: exact,
  Type: small,
});

export const raftRequests = {
  [RaftType.appendEntries]: struct({
    ...header,
    Entries: list(raftLog),
    Leader: raw,
    LeaderCommitIndex: exact,
    PrevLogEntry: exact,
    PrevLogTerm: exact,
    Term: exact,
  }),
  [RaftType.requestVote]: struct({
    ...header,
    Candidate: raw,
    LastLogIndex: exact,
    LastLogTerm: exact,
    LeadershipTransfer: bool,
    Term: exact,
  }),
  [RaftType.installSnapshot]: struct({
    ...header,
    Configuration: raw,
    ConfigurationIndex: exact,
    LastLogIndex: exact,
    LastLogTerm: exact,
    Leader: raw,
    Peers: raw,
    Size: int64,
    SnapshotVersion: small,
    Term: exact,
  }),
  [RaftType.timeoutNow]: struct(header),
  [RaftType.requestPreVote]: struct({
    ...header,
    LastLogIndex: exact,
    LastLogTerm: exact,
    Term: exact,
  }),
} as const;

export const raftAnswers = {
  [RaftType.appendEntries]: struct({
    ...header,
    LastLog: exact,
    NoRetryBackoff: bool,
    Success: bool,
    Term: exact,
  }),
  [RaftType.requestVote]: struct({ ...header, Granted: bool, Peers: raw, Term: exact }),
  [RaftType.installSnapshot]: struct({ ...header, Success: bool, Term: exact }),
  [RaftType.timeoutNow]: struct(header),
  [RaftType.requestPreVote]: struct({ ...header, Granted: bool, Term: exact }),
} as const;

export type RaftLog = ValueOf<typeof raftLog>;

export type RaftRequest = {
  [Type in RaftType]: { readonly type: Type; readonly body: ValueOf<(typeof raftRequests)[Type]> };
}[RaftType];

type RaftRead =
  | { readonly kind: "more" }
  | { readonly kind: "request"; readonly request: RaftRequest; readonly bytes: number }
  | { readonly kind: "malformed" };

export function encodeRaftRequest(request: RaftRequest): Uint8Array {
  const out = new MsgpackWriter().byte(request.type);
  writeBody(out, request);
  return out.take();
}

function writeBody(out: MsgpackWriter, request: RaftRequest): void {
  switch (request.type) {
    case RaftType.appendEntries:
      return raftRequests[request.type].write(out, request.body);
    case RaftType.requestVote:
      return raftRequests[request.type].write(out, request.body);
    case RaftType.installSnapshot:
      return raftRequests[request.type].write(out, request.body);
    case RaftType.timeoutNow:
      return raftRequests[request.type].write(out, request.body);
    case RaftType.requestPreVote:
      return raftRequests[request.type].write(out, request.body);
  }
}

/** Reads one request off the start of `bytes`; a snapshot's own bytes follow it. */
export function decodeRaftRequest(bytes: Uint8Array): RaftRead {
  const [type] = bytes;
  if (type === undefined) return { kind: "more" };
  const reader = new MsgpackReader(bytes, 1);
  const request = readBody(reader, type);
  if (request === undefined) return { kind: "malformed" };
  if (reader.state === "short") return { kind: "more" };
  return reader.ok ? { kind: "request", request, bytes: reader.at } : { kind: "malformed" };
}

function readBody(reader: MsgpackReader, type: number): RaftRequest | undefined {
  switch (type) {
    case RaftType.appendEntries:
      return { type, body: raftRequests[type].read(reader) };
    case RaftType.requestVote:
      return { type, body: raftRequests[type].read(reader) };
    case RaftType.installSnapshot:
      return { type, body: raftRequests[type].read(reader) };
    case RaftType.timeoutNow:
      return { type, body: raftRequests[type].read(reader) };
    case RaftType.requestPreVote:
      return { type, body: raftRequests[type].read(reader) };
    default:
      return undefined;
  }
}

/** An answer; with an error the body is nil. */
export function encodeRaftAnswer<T>(codec: Codec<T>, answer: T | string): Uint8Array {
  const out = new MsgpackWriter();
  if (typeof answer === "string") return out.text(answer).nil().take();
  out.text("");
  codec.write(out, answer);
  return out.take();
}

export function decodeRaftAnswer<T>(codec: Codec<T>, bytes: Uint8Array): T | string | undefined {
  const reader = new MsgpackReader(bytes);
  const error = reader.text();
  if (error !== "") return reader.ok ? error : undefined;
  const answer = codec.read(reader);
  return reader.ok ? answer : undefined;
}
