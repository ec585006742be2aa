/** Raft's messages as a real cluster sent them. */
import { describe, expect, test } from "bun:test";
import { decodeValue, encodeValue } from "../../src/wire/codec.ts";
import {
  decodeRaftAnswer,
  decodeRaftRequest,
  encodeRaftAnswer,
  encodeRaftRequest,
  RaftType,
  raftAnswers,
  raftLog,
  raftRequests,
} from "../../src/wire/raft-message.ts";
import { hex, type Json, vectors } from "../vectors.ts";

describe("recorded Raft calls", () => {
  const recorded = [
    ...vectors("rpc/raft-rpc.json"),
    ...vectors("rpc/raft-snapshot.json").map((one: Json) => ({
      name: one.name,
      hex: one.request_hex,
      response_hex: one.response_hex,
    })),
  ];
  for (const one of recorded) {
    test(one.name, () => {
      const bytes = hex(one.hex);
      const read = decodeRaftRequest(bytes);
      if (read.kind !== "request") throw new Error(read.kind);
      expect(read.bytes).toBe(bytes.length);
      expect(encodeRaftRequest(read.request).toHex()).toBe(one.hex);
      for (let end = 0; end < bytes.length; end++) {
        expect(decodeRaftRequest(bytes.subarray(0, end)).kind).toBe("more");
      }
      if (!one.response_hex) return;
      const codec = raftAnswers[read.request.type];
      const answer = decodeRaftAnswer<Json>(codec as Json, hex(one.response_hex));
      expect(encodeRaftAnswer<Json>(codec as Json, answer).toHex()).toBe(one.response_hex);
    });
  }

  test("each log entry of a real cluster's life", () => {
    for (const entry of vectors("rpc/raft-log.json")) {
      const log = decodeValue(raftLog, hex(entry.hex));
      if (log === undefined) throw new Error(entry.name);
      expect(Number(log.Index)).toBe(entry.decoded.Index);
      expect(log.Type).toBe(entry.decoded.Type);
      expect(encodeValue(raftLog, log).toHex()).toBe(entry.hex);
    }
  });

  test("AppendedAt in its three sizes, and none", () => {
    for (const one of vectors("rpc/codec.json")) {
      if (one.name !== "raft/Log" && one.name !== "raft/Log-bootstrap") continue;
      const log = decodeValue(raftLog, hex(one.hex));
      if (log === undefined) throw new Error(one.name);
      expect(encodeValue(raftLog, log).toHex()).toBe(one.hex);
    }
    const old = `${"86aa417070656e6465644174"}af010000000ee2987d1e075bcd15ffffa444617461c0aa457874656e73696f6e73c0a5496e64657803a45465726d02a45479706501`;
    expect(decodeValue(raftLog, hex(old))?.AppendedAt).toEqual({
      seconds: 1_795_589_662n,
      nanos: 123_456_789,
    });
    const samples = [
      [{ seconds: 1_795_589_662n, nanos: 0 }, "a46b06861e"],
      [{ seconds: -2_208_988_800n, nanos: 5 }, "ac00000005ffffffff7c558180"],
      [null, "c0"],
    ] as const;
    for (const [at, bytes] of samples) {
      const log = { ...raftLog.zero, AppendedAt: at };
      const written = encodeValue(raftLog, log).toHex();
      expect(written).toContain(`aa417070656e6465644174${bytes}`);
      expect(decodeValue(raftLog, hex(written))?.AppendedAt).toEqual(at);
    }
  });
});

describe("terms and indexes are exact, or the message is malformed", () => {
  const { requestVote, appendEntries } = RaftType;
  const vote = raftRequests[requestVote];
  const encoded = (field: "Term" | "LastLogIndex" | "LastLogTerm", value: number): Uint8Array => {
    const body = { ...vote.zero, [field]: value };
    return encodeRaftRequest({ type: requestVote, body });
  };
  for (const field of ["Term", "LastLogIndex", "LastLogTerm"] as const) {
    test(`${field} of a vote`, () => {
      const highest = decodeRaftRequest(encoded(field, Number.MAX_SAFE_INTEGER));
      expect(highest).toMatchObject({
        kind: "request",
        request: { body: { [field]: Number.MAX_SAFE_INTEGER } },
      });
      for (const value of [2 ** 53, 2 ** 63]) {
        expect(decodeRaftRequest(encoded(field, value)).kind).toBe("malformed");
      }
    });
  }

  test("of an entry, and of an answer", () => {
    const body = raftRequests[appendEntries].zero;
    for (const field of ["Index", "Term"]) {
      const Entries = [{ ...raftLog.zero, [field]: 2 ** 63 }];
      const bytes = encodeRaftRequest({ type: appendEntries, body: { ...body, Entries } });
      expect(decodeRaftRequest(bytes).kind).toBe("malformed");
    }
    const answer = raftAnswers[appendEntries];
    for (const field of ["LastLog", "Term"]) {
      const bytes = encodeRaftAnswer(answer, { ...answer.zero, [field]: 2 ** 63 });
      expect(decodeRaftAnswer(answer, bytes)).toBeUndefined();
    }
  });
});
