/** Raft's calls between the machine's form and the wire's (wire/rpc-and-raft.md §8). */
import type {
  AppendEntries,
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

interface Header {
  readonly Addr: Uint8Array;
  readonly ID: Uint8Array;
  readonly ProtocolVersion: number;
}

/** A server says who it is in every message. */
const headers = new WeakMap<Sender, Header>();

function header(from: Sender): Header {
  const known = headers.get(from);
  if (known !== undefined) return known;
  const { address, id } = from;
  const made = { Addr: encodeText(address), ID: encodeText(id), ProtocolVersion: PROTOCOL };
  headers.set(from, made);
  return made;
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
          LeaderCommitIndex: call.commitIndex,
          PrevLogEntry: call.prevIndex,
          PrevLogTerm: call.prevTerm,
          Term: call.term,
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
    LastLogIndex: call.lastIndex,
    LastLogTerm: call.lastTerm,
    Term: call.term,
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
      ConfigurationIndex: meta.configurationIndex,
      LastLogIndex: meta.index,
      LastLogTerm: meta.term,
      Leader: head.Addr,
      Peers: encodeValue(
        oldPeers,
        voters.map((one) => encodeText(one.address)),
      ),
      Size: BigInt(size),
      SnapshotVersion: SNAPSHOT_VERSION,
      Term: call.term,
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
    Index: entry.index,
    Term: entry.term,
    Type: entry.type,
  };
}

function fromWireLog(log: RaftLog): LogEntry {
  const at = log.AppendedAt;
  return {
    index: log.Index,
    term: log.Term,
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

/**
 * A text is an error for the caller: a protocol or a configuration that we do not speak.
 *
 * @returns undefined: it contradicts itself, as no server's does
 */
export function toCall(request: RaftRequest): ReadCall | string | undefined {
  const { body } = request;
  if (body.ProtocolVersion < 2 || body.ProtocolVersion > PROTOCOL) {
    return "operation not supported with current protocol version";
  }
  const from = { id: decodeText(body.ID ?? NONE), address: decodeText(body.Addr ?? NONE) };
  switch (request.type) {
    case RaftType.appendEntries: {
      const call = appendCall(request.body, from);
      return followEachOther(call) ? { call, size: 0 } : undefined;
    }
    case RaftType.requestVote:
    case RaftType.requestPreVote: {
      const { LastLogIndex: lastIndex, LastLogTerm: lastTerm, Term: term } = request.body;
      const log = { from, lastIndex, lastTerm, term };
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
): AppendEntries {
  const heartbeat = body.Entries === null && body.PrevLogEntry === 0;
  return {
    kind: "append-entries",
    from,
    term: body.Term,
    prevIndex: body.PrevLogEntry,
    prevTerm: body.PrevLogTerm,
    commitIndex: body.LeaderCommitIndex,
    entries: heartbeat ? undefined : (body.Entries ?? []).map(fromWireLog),
  };
}

/** Entries go on where the call begins, without a gap; no term is before its predecessor's. */
function followEachOther({ term, prevIndex, prevTerm, entries = [] }: AppendEntries): boolean {
  const terms = [prevTerm, ...entries.map((one) => one.term), term];
  const ascending = terms.every((one, i) => i === 0 || one >= (terms[i - 1] ?? 0));
  return ascending && entries.every((one, i) => one.index === prevIndex + 1 + i);
}

function installCall(
  body: ValueOf<(typeof raftRequests)[typeof RaftType.installSnapshot]>,
  from: Sender,
): ReadCall | string | undefined {
  const decoded = configurationCodec.decode(body.Configuration ?? NONE);
  if (decoded === undefined) return "the snapshot's configuration cannot be read";
  const meta: SnapshotMeta = {
    index: body.LastLogIndex,
    term: body.LastLogTerm,
    configuration: decoded,
    configurationIndex: body.ConfigurationIndex,
  };
  if (meta.term > body.Term || meta.configurationIndex > meta.index) return undefined;
  const call = { kind: "install-snapshot", from, term: body.Term, meta } as const;
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
        LastLog: answer.lastIndex,
        NoRetryBackoff: answer.noRetryBackoff,
        Success: answer.success,
        Term: answer.term,
      });
    case "request-vote":
      return encodeRaftAnswer(raftAnswers[RaftType.requestVote], {
        ...head,
        Granted: answer.granted,
        Peers: null,
        Term: answer.term,
      });
    case "request-pre-vote": {
      const body = { ...head, Granted: answer.granted, Term: answer.term };
      return encodeRaftAnswer(raftAnswers[RaftType.requestPreVote], body);
    }
    case "install-snapshot": {
      const body = { ...head, Success: answer.success, Term: answer.term };
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
      const { LastLog: lastIndex, NoRetryBackoff: noRetryBackoff, Success: success } = read;
      const term = read.Term;
      return { kind, lastIndex, noRetryBackoff, success, term };
    }
    case "request-vote":
    case "request-pre-vote": {
      // They differ in a field that nobody looks at.
      const read = decodeRaftAnswer(raftAnswers[RaftType.requestPreVote], bytes);
      if (read === undefined || typeof read === "string") return read;
      return { kind, granted: read.Granted, term: read.Term };
    }
    case "install-snapshot": {
      const read = decodeRaftAnswer(raftAnswers[RaftType.installSnapshot], bytes);
      if (read === undefined || typeof read === "string") return read;
      return { kind, success: read.Success, term: read.Term };
    }
    case "timeout-now": {
      const read = decodeRaftAnswer(raftAnswers[RaftType.timeoutNow], bytes);
      return read === undefined || typeof read === "string" ? read : { kind };
    }
  }
}
