/** Raft's calls between the machine's form and the wire's (wire/rpc-and-raft.md §8). */
import type {
  Configuration,
  ConfigurationCodec,
  LogEntry,
  RaftAnswer,
  RaftCall,
  RaftServer,
  Sender,
  SnapshotMeta,
} from "../protocol/raft/message.ts";
import { decodeValue, encodeValue, list, raw, small, struct, type ValueOf } from "./codec.ts";
import {
  decodeRaftAnswer,
  encodeRaftAnswer,
  encodeRaftRequest,
  type RaftLog,
  type RaftRequest,
  RaftType,
  raftAnswers,
  type raftRequests,
} from "./raft-message.ts";
import { decodeText, encodeText } from "./text.ts";

const PROTOCOL = 3;
const SNAPSHOT_VERSION = 1;
const SUFFRAGE = { voter: 0, nonvoter: 1 } as const;
const NONE = new Uint8Array(0);

const configuration = struct({
  Servers: list(struct({ Address: raw, ID: raw, Suffrage: small })),
});
/** Voters' addresses, for servers of long ago. */
const oldPeers = list(raw);

export const configurationCodec: ConfigurationCodec = {
  encode: ({ servers }) =>
    encodeValue(configuration, {
      Servers: servers.map((one) => ({
        Address: encodeText(one.address),
        ID: encodeText(one.id),
        Suffrage: SUFFRAGE[one.suffrage],
      })),
    }),
  decode(data): Configuration | undefined {
    const read = decodeValue(configuration, data);
    if (read === undefined) return undefined;
    const servers = (read.Servers ?? []).map(
      (one): RaftServer => ({
        id: decodeText(one.ID ?? NONE),
        address: decodeText(one.Address ?? NONE),
        suffrage: one.Suffrage === SUFFRAGE.voter ? "voter" : "nonvoter",
      }),
    );
    return { servers };
  },
};

function header(from: Sender): { Addr: Uint8Array; ID: Uint8Array; ProtocolVersion: number } {
  return { Addr: encodeText(from.address), ID: encodeText(from.id), ProtocolVersion: PROTOCOL };
}

/** @param size of the snapshot whose bytes follow an install-snapshot */
export function encodeCall(call: RaftCall, size: number): Uint8Array {
  const head = header(call.from);
  switch (call.kind) {
    case "append-entries":
      return encodeRaftRequest({
        type: RaftType.appendEntries,
        body: {
          ...head,
          Entries: call.entries?.map(toWireLog) ?? null,
          Leader: head.Addr,
          LeaderCommitIndex: BigInt(call.commitIndex),
          PrevLogEntry: BigInt(call.prevIndex),
          PrevLogTerm: BigInt(call.prevTerm),
          Term: BigInt(call.term),
        },
      });
    case "request-vote":
    case "request-pre-vote":
      return encodeVote(call, head);
    case "install-snapshot":
      return encodeInstall(call, head, size);
    case "timeout-now":
      return encodeRaftRequest({ type: RaftType.timeoutNow, body: head });
  }
}

function encodeVote(
  call: Extract<RaftCall, { kind: "request-vote" | "request-pre-vote" }>,
  head: ReturnType<typeof header>,
): Uint8Array {
  const log = {
    LastLogIndex: BigInt(call.lastIndex),
    LastLogTerm: BigInt(call.lastTerm),
    Term: BigInt(call.term),
  };
  if (call.kind === "request-pre-vote") {
    return encodeRaftRequest({ type: RaftType.requestPreVote, body: { ...head, ...log } });
  }
  const body = { ...head, ...log, Candidate: head.Addr, LeadershipTransfer: call.transfer };
  return encodeRaftRequest({ type: RaftType.requestVote, body });
}

function encodeInstall(
  call: Extract<RaftCall, { kind: "install-snapshot" }>,
  head: ReturnType<typeof header>,
  size: number,
): Uint8Array {
  const { meta } = call;
  const voters = meta.configuration.servers.filter((one) => one.suffrage === "voter");
  return encodeRaftRequest({
    type: RaftType.installSnapshot,
    body: {
      ...head,
      Configuration: configurationCodec.encode(meta.configuration),
      ConfigurationIndex: BigInt(meta.configurationIndex),
      LastLogIndex: BigInt(meta.index),
      LastLogTerm: BigInt(meta.term),
      Leader: head.Addr,
      Peers: encodeValue(
        oldPeers,
        voters.map((one) => encodeText(one.address)),
      ),
      Size: BigInt(size),
      SnapshotVersion: SNAPSHOT_VERSION,
      Term: BigInt(call.term),
    },
  });
}

function toWireLog(entry: LogEntry): RaftLog {
  const at = entry.appendedAtMs;
  return {
    AppendedAt:
      at === undefined
        ? null
        : { seconds: BigInt(Math.floor(at / 1000)), nanos: Math.floor((at % 1000) * 1_000_000) },
    Data: entry.data.length === 0 ? null : entry.data,
    Extensions: null,
    Index: BigInt(entry.index),
    Term: BigInt(entry.term),
    Type: entry.type,
  };
}

function fromWireLog(log: RaftLog): LogEntry {
  const at = log.AppendedAt;
  return {
    index: Number(log.Index),
    term: Number(log.Term),
    type: log.Type,
    data: log.Data ?? NONE,
    appendedAtMs: at === null ? undefined : Number(at.seconds) * 1000 + at.nanos / 1_000_000,
  };
}

export interface ReadCall {
  readonly call: RaftCall;
  /** Bytes of a snapshot that follow. */
  readonly size: number;
}

/** undefined: a protocol or a configuration that we do not speak; the error text for the caller. */
export function toCall(request: RaftRequest): ReadCall | string {
  const { body } = request;
  if (body.ProtocolVersion < 2 || body.ProtocolVersion > PROTOCOL) {
    return "operation not supported with current protocol version";
  }
  const from = { id: decodeText(body.ID ?? NONE), address: decodeText(body.Addr ?? NONE) };
  switch (request.type) {
    case RaftType.appendEntries:
      return { call: appendCall(request.body, from), size: 0 };
    case RaftType.requestVote:
    case RaftType.requestPreVote: {
      const { LastLogIndex, LastLogTerm, Term } = request.body;
      const [lastIndex, lastTerm, term] = [LastLogIndex, LastLogTerm, Term].map(Number);
      const log = { from, lastIndex: lastIndex ?? 0, lastTerm: lastTerm ?? 0, term: term ?? 0 };
      if (request.type === RaftType.requestPreVote) {
        return { call: { kind: "request-pre-vote", ...log }, size: 0 };
      }
      const transfer = request.body.LeadershipTransfer;
      return { call: { kind: "request-vote", ...log, transfer }, size: 0 };
    }
    case RaftType.installSnapshot:
      return installCall(request.body, from);
    case RaftType.timeoutNow:
      return { call: { kind: "timeout-now", from }, size: 0 };
  }
}

function appendCall(
  body: ValueOf<(typeof raftRequests)[typeof RaftType.appendEntries]>,
  from: Sender,
): RaftCall {
  const heartbeat = body.Entries === null && body.PrevLogEntry === 0n;
  return {
    kind: "append-entries",
    from,
    term: Number(body.Term),
    prevIndex: Number(body.PrevLogEntry),
    prevTerm: Number(body.PrevLogTerm),
    commitIndex: Number(body.LeaderCommitIndex),
    entries: heartbeat ? undefined : (body.Entries ?? []).map(fromWireLog),
  };
}

function installCall(
  body: ValueOf<(typeof raftRequests)[typeof RaftType.installSnapshot]>,
  from: Sender,
): ReadCall | string {
  const decoded = configurationCodec.decode(body.Configuration ?? NONE);
  if (decoded === undefined) return "the snapshot's configuration cannot be read";
  const meta: SnapshotMeta = {
    index: Number(body.LastLogIndex),
    term: Number(body.LastLogTerm),
    configuration: decoded,
    configurationIndex: Number(body.ConfigurationIndex),
  };
  const call = { kind: "install-snapshot", from, term: Number(body.Term), meta } as const;
  return { call, size: Number(body.Size) };
}

/** @param answer a text is an error */
export function encodeAnswer(answer: RaftAnswer | string, self: Sender): Uint8Array {
  const head = header(self);
  if (typeof answer === "string") {
    return encodeRaftAnswer(raftAnswers[RaftType.timeoutNow], answer);
  }
  switch (answer.kind) {
    case "append-entries":
      return encodeRaftAnswer(raftAnswers[RaftType.appendEntries], {
        ...head,
        LastLog: BigInt(answer.lastIndex),
        NoRetryBackoff: answer.noRetryBackoff,
        Success: answer.success,
        Term: BigInt(answer.term),
      });
    case "request-vote":
      return encodeRaftAnswer(raftAnswers[RaftType.requestVote], {
        ...head,
        Granted: answer.granted,
        Peers: null,
        Term: BigInt(answer.term),
      });
    case "request-pre-vote": {
      const body = { ...head, Granted: answer.granted, Term: BigInt(answer.term) };
      return encodeRaftAnswer(raftAnswers[RaftType.requestPreVote], body);
    }
    case "install-snapshot": {
      const body = { ...head, Success: answer.success, Term: BigInt(answer.term) };
      return encodeRaftAnswer(raftAnswers[RaftType.installSnapshot], body);
    }
    case "timeout-now":
      return encodeRaftAnswer(raftAnswers[RaftType.timeoutNow], head);
  }
}

/** What came back for a call of this kind: undefined is no answer at all, a text an error. */
export function decodeAnswer(
  kind: RaftCall["kind"],
  bytes: Uint8Array,
): RaftAnswer | string | undefined {
  switch (kind) {
    case "append-entries": {
      const read = decodeRaftAnswer(raftAnswers[RaftType.appendEntries], bytes);
      if (read === undefined || typeof read === "string") return read;
      const { LastLog, NoRetryBackoff: noRetryBackoff, Success: success, Term } = read;
      const [lastIndex, term] = [Number(LastLog), Number(Term)];
      return { kind, lastIndex, noRetryBackoff, success, term };
    }
    case "request-vote":
    case "request-pre-vote": {
      // They differ in a field that nobody looks at.
      const read = decodeRaftAnswer(raftAnswers[RaftType.requestPreVote], bytes);
      if (read === undefined || typeof read === "string") return read;
      return { kind, granted: read.Granted, term: Number(read.Term) };
    }
    case "install-snapshot": {
      const read = decodeRaftAnswer(raftAnswers[RaftType.installSnapshot], bytes);
      if (read === undefined || typeof read === "string") return read;
      return { kind, success: read.Success, term: Number(read.Term) };
    }
    case "timeout-now": {
      const read = decodeRaftAnswer(raftAnswers[RaftType.timeoutNow], bytes);
      return read === undefined || typeof read === "string" ? read : { kind };
    }
  }
}
