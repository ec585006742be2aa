/** Event.Stream: which events are asked for, and each answer as Nomad frames it. */
import {
  encodeValue,
  int64,
  list,
  mapOf,
  pointer,
  raw,
  struct,
  text,
  type ValueOf,
} from "./codec.ts";
import { queryFields } from "./rpc-status.ts";

export const eventRequest = struct({
  ...queryFields,
  Index: int64,
  /** Keys by topic; `*` stands for any of either. */
  Topics: mapOf(list(text)),
});
export type EventRequest = ValueOf<typeof eventRequest>;

/** `EventStreamWrapper`: JSON of the events of one index, `{}` as a sign of life, or the end. */
export const eventFrame = struct({
  Error: pointer(struct({ Code: pointer(int64), Message: text })),
  Event: pointer(struct({ Data: raw })),
});

export function encodeEvents(json: Uint8Array): Uint8Array {
  return encodeValue(eventFrame, { Error: null, Event: { Data: json } });
}

export function encodeEventError(code: number, message: string): Uint8Array {
  return encodeValue(eventFrame, {
    Error: { Code: BigInt(code), Message: message },
    Event: null,
  });
}
