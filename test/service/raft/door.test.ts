/** A greeting before Raft's calls: who is let in, and what the others hear. */
import { expect, test } from "bun:test";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import type {
  RaftAnswer,
  RaftCall,
  RaftServer,
  Sender,
} from "../../../src/protocol/raft/message.ts";
import { createDoor } from "../../../src/service/raft/door.ts";
import { type RaftHandler, serveRaft } from "../../../src/service/raft/serve.ts";
import { RaftTransport } from "../../../src/service/raft/transport.ts";
import { RefusalLog } from "../../../src/service/refusals.ts";
import { decodeAnswer, encodeCall } from "../../../src/wire/raft-codec.ts";
import { decodeGreeting, encodeGreeting } from "../../../src/wire/raft-greeting.ts";
import { decodeRaftRequest } from "../../../src/wire/raft-message.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const A: Sender = { id: "a", address: "127.0.0.1:4647" };
const B: Sender = { id: "b", address: "127.0.0.2:4647" };
const SERVERS = [A, B].map((one): RaftServer => ({ ...one, suffrage: "voter" }));
const VOTE: RaftCall = { kind: "request-pre-vote", from: A, term: 2, lastIndex: 0, lastTerm: 0 };
const YES: RaftAnswer = { kind: "request-pre-vote", term: 2, granted: true };

/** A server that waits for calls, and what it has heard. */
function serverOf(self: Sender, unsafe = false) {
  const heard: RaftCall[] = [];
  const logged: string[] = [];
  const counted: string[] = [];
  const log = { ...silent, error: (message: string) => void logged.push(message) };
  const door = createDoor({
    ...{ self, region: "global", servers: () => SERVERS, unsafeWithoutGreeting: unsafe },
    refusals: new RefusalLog(new ManualClock(), log),
    count: (reason) => void counted.push(reason),
  });
  const accept = () => {
    const [near, far] = streamPair();
    const handle: RaftHandler = async (call) => {
      heard.push(call);
      return YES;
    };
    serveRaft(far, { self, door, handle, malformed: () => far.destroy() });
    return near;
  };
  return { accept, heard, logged, counted };
}

/** What `from` gets when it asks whoever answers `accept` for a vote, and what it is told. */
async function ask(from: Sender, accept: ReturnType<typeof serverOf>["accept"], unsafe = false) {
  const answers: (RaftAnswer | undefined)[] = [];
  const refusals: string[] = [];
  const transport = new RaftTransport({
    ...{ self: from, region: "global", log: silent, unsafeWithoutGreeting: unsafe },
    clock: new ManualClock(),
    prng: createPrng(1),
    refused: (_to, why) => refusals.push(why),
    malformed: () => undefined,
    dialer: { connect: async () => ({ stream: accept(), tls: undefined }) },
  });
  const call = { ...VOTE, from };
  transport.send({ ...B, suffrage: "voter" }, "vote", call, new Uint8Array(0), (answer) =>
    answers.push(answer),
  );
  await settle();
  transport.close();
  return { answers, refusals };
}

test("servers of ours greet each other and go on", async () => {
  const { accept, heard } = serverOf(B);
  expect(await ask(A, accept)).toEqual({ answers: [YES], refusals: [] });
  expect(heard).toHaveLength(1);
});

test("a copy of a server at another address is refused, and hears where that server is", async () => {
  const { accept, heard, logged, counted } = serverOf(B);
  const { answers, refusals } = await ask({ id: "a", address: "127.0.0.9:4647" }, accept);
  expect(answers).toEqual([undefined]);
  expect(refusals[0]).toContain("node id a is at 127.0.0.1:4647, and not at 127.0.0.9:4647");
  expect(logged).toEqual(["refused the Raft calls of a server"]);
  expect(counted).toEqual(["raft-greeting"]);
  expect(heard).toEqual([]);
});

test("a server that takes the place of another is not taken for it", async () => {
  const { refusals } = await ask(A, serverOf({ id: "z", address: B.address }).accept);
  expect(refusals).toEqual(["127.0.0.2:4647 is the server with node id z, not b"]);
});

test("a leader of another kind is answered with an error, and nothing of it is taken", async () => {
  for (const unsafe of [false, true]) {
    const { accept, heard, logged } = serverOf(B, unsafe);
    const stream = accept();
    const chunks: Uint8Array[] = [];
    const nothing = (): void => undefined;
    stream.listen({ data: (chunk) => void chunks.push(chunk), ended: nothing, closed: nothing });
    for (let i = 0; i < 3; i++) stream.write(encodeCall(VOTE, 0));
    await settle();
    const answer = decodeAnswer("request-pre-vote", Buffer.concat(chunks));
    if (unsafe) {
      expect(answer).toEqual(YES);
      expect(heard).toHaveLength(3);
      continue;
    }
    expect(answer).toContain("give this cluster a region of its own");
    // hashicorp/raft takes this word in an answer to a pre-vote for a vote.
    expect(answer).not.toContain("unexpected command");
    expect(heard).toEqual([]);
    expect(logged).toEqual(["refused the Raft calls of a server of another kind"]);
  }
});

test("who does not know the greeting gets nothing else from us", async () => {
  const written: Uint8Array[] = [];
  const { answers } = await ask(A, () => {
    const [near, far] = streamPair();
    const nothing = (): void => undefined;
    const data = (chunk: Uint8Array): void => {
      written.push(chunk);
      // As hashicorp/raft does at a type that it does not know.
      if (decodeRaftRequest(Buffer.concat(written)).kind === "malformed") far.destroy();
    };
    far.listen({ data, ended: nothing, closed: nothing });
    return near;
  });
  expect(answers).toEqual([undefined]);
  const bytes = Buffer.concat(written);
  expect(decodeGreeting(bytes)).toMatchObject({ greeting: { from: A, to: "b" } });
  expect(bytes.length).toBe(encodeGreeting({ from: A, to: "b" }).length);
});

test("a greeting is read in pieces, and anything may come instead", () => {
  const whole = encodeGreeting({ from: A, to: "b" });
  for (let end = 1; end < whole.length; end++) {
    expect(decodeGreeting(whole.subarray(0, end)).kind).toBe("more");
  }
  expect(decodeGreeting(Uint8Array.of(0x67, 0xc1)).kind).toBe("malformed");
  expect(decodeGreeting(Uint8Array.of(0x67, 0xdf, 0xff, 0xff, 0xff, 0xff)).kind).not.toBe(
    "greeting",
  );
});
