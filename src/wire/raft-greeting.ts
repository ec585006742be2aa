/**
 * The first word on a Raft connection between servers of ours: who calls, and whom it means. It
 * looks like one of Raft's calls with a type of its own, at which hashicorp/raft hangs up before
 * it has read anything else; so nobody of another kind is ever sent an entry or a vote.
 *
 * @module
 */
import type { Sender } from "../protocol/raft/message.ts";
import { raw, struct } from "./codec.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import { decodeRaftAnswer, encodeRaftAnswer } from "./raft-message.ts";
import { decodeText, encodeText } from "./text.ts";

/** Far from hashicorp/raft's, of which there are five. */
export const GREETING_TYPE = 0x67;
/** Two ids and an address: anything longer is none. */
export const GREETING_BYTES_MAX = 4096;

const greeting = struct({ Addr: raw, ID: raw, To: raw });
const answer = struct({ Addr: raw, ID: raw });
const NONE = new Uint8Array(0);

export interface RaftGreeting {
  readonly from: Sender;
  /** The node id of the server that is meant. */
  readonly to: string;
}

type GreetingRead =
  | { readonly kind: "more" }
  | { readonly kind: "greeting"; readonly greeting: RaftGreeting; readonly bytes: number }
  | { readonly kind: "malformed" };

export function encodeGreeting({ from, to }: RaftGreeting): Uint8Array {
  const out = new MsgpackWriter().byte(GREETING_TYPE);
  const [Addr, ID, To] = [from.address, from.id, to].map(encodeText);
  greeting.write(out, { Addr: Addr ?? NONE, ID: ID ?? NONE, To: To ?? NONE });
  return out.take();
}

/** Reads one off the start of `bytes`, which begin with its type. */
export function decodeGreeting(bytes: Uint8Array): GreetingRead {
  const reader = new MsgpackReader(bytes, 1);
  const { Addr, ID, To } = greeting.read(reader);
  if (reader.state === "short") return { kind: "more" };
  if (!reader.ok) return { kind: "malformed" };
  const from = { id: decodeText(ID ?? NONE), address: decodeText(Addr ?? NONE) };
  return { kind: "greeting", greeting: { from, to: decodeText(To ?? NONE) }, bytes: reader.at };
}

/** @param refusal why the caller may not go on; undefined: it may */
export function encodeGreeted(self: Sender, refusal: string | undefined): Uint8Array {
  const [Addr, ID] = [encodeText(self.address), encodeText(self.id)];
  return encodeRaftAnswer(answer, refusal ?? { Addr, ID });
}

/** @returns why we may not go on; undefined: we may */
export function decodeGreeted(bytes: Uint8Array): string | undefined {
  const read = decodeRaftAnswer(answer, bytes);
  if (typeof read === "string") return read;
  return read === undefined ? "the answer to our greeting cannot be read" : undefined;
}
