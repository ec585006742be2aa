/** Raft's connections: which one a call takes, and that none is left behind. */
import { expect, test } from "bun:test";
import type { ByteStream } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import type { RaftAnswer, RaftCall, RaftServer } from "../../../src/protocol/raft/message.ts";
import { RaftTransport } from "../../../src/service/raft/transport.ts";
import { encodeAnswer } from "../../../src/wire/raft-codec.ts";
import { silent } from "../../silent.ts";
import { settle } from "../manual-clock.ts";

const NONE = new Uint8Array(0);
const TO: RaftServer = { id: "b", address: "127.0.0.1:4647", suffrage: "voter" };
const FROM = { id: "a", address: "127.0.0.2:4647" };
const HEARTBEAT: RaftCall = {
  kind: "append-entries",
  from: FROM,
  term: 1,
  prevIndex: 0,
  prevTerm: 0,
  commitIndex: 0,
  entries: undefined,
};
const YES: RaftAnswer = {
  kind: "append-entries",
  term: 1,
  lastIndex: 0,
  success: true,
  noRetryBackoff: false,
};

function transport() {
  const dialled: ByteStream[] = [];
  const raft = new RaftTransport({
    self: FROM,
    region: "global",
    log: silent,
    dialer: {
      connect: async () => {
        const [near, far] = streamPair();
        dialled.push(far);
        return { stream: near, tls: undefined };
      },
    },
  });
  const answers: (RaftAnswer | undefined)[] = [];
  const send = async (): Promise<void> => {
    raft.send(TO, "heartbeat", HEARTBEAT, NONE, (answer) => answers.push(answer));
    await settle();
  };
  const answer = async (line: number): Promise<void> => {
    dialled[line]?.write(encodeAnswer(YES, TO));
    await settle();
  };
  const closed = async (line: number): Promise<boolean> => {
    let over = false;
    const end = (): void => {
      over = true;
    };
    dialled[line]?.listen({ data: () => undefined, ended: () => undefined, closed: end });
    await settle();
    return over;
  };
  return { raft, dialled, answers, send, answer, closed };
}

test("a line that was retired ends with its last answer and leaves the new one alone", async () => {
  const { raft, dialled, answers, send, answer, closed } = transport();
  await send();
  raft.reset();
  await send();
  expect(dialled.length).toBe(2);
  await answer(0);
  await answer(1);
  await send();
  expect(dialled.length).toBe(2);
  expect(answers).toEqual([YES, YES]);
  expect(await closed(0)).toBe(true);
  expect(await closed(1)).toBe(false);
});

test("close() ends all lines, also those that were retired and still wait", async () => {
  const { raft, send, closed, answers } = transport();
  await send();
  raft.reset();
  await send();
  raft.close();
  await settle();
  expect([await closed(0), await closed(1)]).toEqual([true, true]);
  expect(answers).toEqual([undefined, undefined]);
});
