/**
 * Raft connections while this server takes no part in Raft: each request is read, and answered by
 * an error that its leader or candidate can show.
 *
 * @module
 */
import type { ByteStream } from "../host/host.ts";
import {
  decodeRaftRequest,
  encodeRaftAnswer,
  RaftType,
  raftAnswers,
} from "../wire/raft-message.ts";
import { ByteQueue } from "./byte-queue.ts";

const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
const WHY = "this server takes no part in Raft";

export function refuseRaft(stream: ByteStream): void {
  const pending = new ByteQueue();
  stream.listen({
    data: (chunk) => {
      pending.push(chunk);
      if (pending.length > REQUEST_BYTES_MAX) return stream.destroy();
      for (;;) {
        const read = decodeRaftRequest(pending.peek());
        if (read.kind === "malformed") return stream.destroy();
        if (read.kind === "more") return;
        pending.drop(read.bytes);
        stream.write(encodeRaftAnswer(raftAnswers[RaftType.timeoutNow], WHY));
        // A snapshot's own bytes would follow, and nobody wants them.
        if (read.request.type === RaftType.installSnapshot) return stream.end();
      }
    },
    ended: () => stream.end(),
    closed: () => undefined,
  });
}
