/** Raft's connections: which one a call takes, and that none is left behind. */
import { expect, test } from "bun:test";
import type { ByteStream } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import type {
  AppendEntries,
  LogEntry,
  RaftAnswer,
  RaftCall,
  RaftServer,
} from "../../../src/protocol/raft/message.ts";
import type { Door } from "../../../src/service/raft/door.ts";
import { serveRaft } from "../../../src/service/raft/serve.ts";
import { RaftTransport } from "../../../src/service/raft/transport.ts";
import { TlsError } from "../../../src/tls/refusal.ts";
import { encodeAnswer, encodeCall } from "../../../src/wire/raft-codec.ts";
import { encodeRaftAnswer, RaftType, raftAnswers } from "../../../src/wire/raft-message.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const NONE = new Uint8Array(0);
const TO: RaftServer = { id: "b", address: "127.0.0.1:4647", suffrage: "voter" };
const FROM = { id: "a", address: "127.0.0.2:4647" };
const HEARTBEAT: AppendEntries = {
  kind: "append-entries",
  from: FROM,
  term: 1,
  prevIndex: 0,
  prevTerm: 0,
  commitIndex: 0,
  entries: undefined,
};
/** The first number above those that are all exact. */
const TOO_HIGH = 2 ** 53;
const YES: RaftAnswer = {
  kind: "append-entries",
  term: 1,
  lastIndex: 0,
  success: true,
  noRetryBackoff: false,
};

function transport(unsafeWithoutGreeting = true) {
  const dialled: ByteStream[] = [];
  const clock = new ManualClock();
  const fails: { with: Error | undefined; dials: number } = { with: undefined, dials: 0 };
  const counts: string[] = [];
  const raft = new RaftTransport({
    self: FROM,
    region: "global",
    clock,
    prng: createPrng(1),
    log: silent,
    malformed: () => counts.push("answer"),
    unsafeWithoutGreeting,
    refused: () => undefined,
    dialer: {
      connect: async () => {
        await Promise.resolve();
        if (fails.with !== undefined) {
          fails.dials += 1;
          throw fails.with;
        }
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
  return { raft, dialled, counts, answers, send, answer, closed, clock, fails };
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

test("an answer with a term that is no exact number ends the line, and is counted", async () => {
  const { dialled, counts, answers, send, closed } = transport();
  await send();
  const { appendEntries } = RaftType;
  const bytes = encodeRaftAnswer(raftAnswers[appendEntries], {
    ...raftAnswers[appendEntries].zero,
    Term: TOO_HIGH,
  });
  dialled[0]?.write(bytes);
  await settle();
  expect([answers, counts]).toEqual([[undefined], ["answer"]]);
  expect(await closed(0)).toBe(true);
});

/** Nobody is greeted here: this is about what comes behind it. */
const OPEN_DOOR: Door = {
  unsafeWithoutGreeting: true,
  greeted: () => undefined,
  notGreeted: () => "",
};

function served() {
  const [near, far] = streamPair();
  const taken: RaftCall[] = [];
  let refused = 0;
  const handle = async (call: RaftCall): Promise<RaftAnswer | undefined> => {
    taken.push(call);
    return "term" in call && call.term === 66 ? undefined : YES;
  };
  const malformed = (): void => {
    refused += 1;
    far.destroy();
  };
  serveRaft(far, { self: FROM, door: OPEN_DOOR, handle, malformed });
  const say = async (bytes: Uint8Array): Promise<void> => {
    near.write(bytes);
    await settle();
  };
  return { say, taken, refused: () => refused };
}

const entryAt = (index: number, term: number): LogEntry => {
  return { index, term, type: 0, data: NONE, appendedAtMs: undefined };
};
const appending = (entries: readonly LogEntry[]): RaftCall => {
  return { ...HEARTBEAT, term: 5, prevIndex: 3, prevTerm: 2, entries };
};

test("calls whose numbers contradict each other are refused, and reach nobody", async () => {
  const good = served();
  await good.say(encodeCall(appending([entryAt(4, 2), entryAt(5, 5)]), 0));
  expect([good.taken.length, good.refused()]).toEqual([1, 0]);
  const meta = { index: 9, term: 4, configuration: { servers: [] }, configurationIndex: 3 };
  const install = { kind: "install-snapshot", from: FROM, term: 5 } as const;
  const bad: readonly RaftCall[] = [
    { ...HEARTBEAT, term: TOO_HIGH },
    { ...HEARTBEAT, commitIndex: TOO_HIGH },
    appending([entryAt(5, 2)]),
    appending([entryAt(4, 2), entryAt(6, 2)]),
    appending([entryAt(4, 1)]),
    appending([entryAt(4, 3), entryAt(5, 2)]),
    appending([entryAt(4, 6)]),
    appending([entryAt(TOO_HIGH, 2)]),
    { ...install, meta: { ...meta, term: 6 } },
    { ...install, meta: { ...meta, configurationIndex: 10 } },
    { ...install, meta: { ...meta, index: TOO_HIGH } },
    { kind: "request-vote", from: FROM, term: TOO_HIGH, lastIndex: 1, lastTerm: 1, transfer: true },
    { kind: "request-pre-vote", from: FROM, term: TOO_HIGH, lastIndex: 1, lastTerm: 1 },
    // What the one who answers finds implausible.
    { ...HEARTBEAT, term: 66 },
  ];
  for (const [i, call] of bad.entries()) {
    const { say, taken, refused } = served();
    await say(encodeCall(call, 0));
    expect([i, taken.length, refused()]).toEqual([i, i === bad.length - 1 ? 1 : 0, 1]);
  }
});

test("whoever refuses our handshake is dialled seldom, and at once when there is news", async () => {
  const { raft, clock, fails, send, dialled } = transport();
  fails.with = new TlsError("unknown-authority", "x509: certificate signed by unknown authority");
  for (let i = 0; i < 600; i++) {
    await send();
    await clock.advance(100);
  }
  // In a minute: after 0.25 s, 0.5 s, 1 s ... and at last each 7.5 to 10 s.
  expect(fails.dials).toBeGreaterThan(8);
  expect(fails.dials).toBeLessThan(15);
  const before = fails.dials;
  raft.forgive(TO.address);
  await send();
  expect(fails.dials).toBe(before + 1);
  raft.reset();
  fails.with = undefined;
  await send();
  expect(dialled.length).toBe(1);
});

test("... and so is whoever hangs up before it has answered our greeting", async () => {
  const { raft, clock, dialled, send } = transport(false);
  for (let i = 0; i < 600; i++) {
    await send();
    dialled.at(-1)?.destroy();
    await clock.advance(100);
  }
  expect(dialled.length).toBeLessThan(15);
  raft.close();
});

test("a server that is not there is dialled as often as Raft asks", async () => {
  const { fails, send } = transport();
  fails.with = new Error("dial tcp 127.0.0.1:4647: connect: connection refused");
  for (let i = 0; i < 20; i++) await send();
  expect(fails.dials).toBe(20);
});

test("a line on which an answer is overdue ends; one that answers in time goes on", async () => {
  const { dialled, clock, answers, send, answer, closed } = transport();
  for (let i = 0; i < 4; i++) {
    await send();
    await clock.advance(6000);
    await answer(0);
  }
  expect([answers.length, dialled.length]).toEqual([4, 1]);
  await send();
  await clock.advance(9999);
  expect(answers).toHaveLength(4);
  await clock.advance(1);
  expect(answers.at(-1)).toBeUndefined();
  expect(await closed(0)).toBe(true);
  // Nothing is left that waits for it.
  await clock.advance(60_000);
  expect(answers).toHaveLength(5);
});
