/** How the API asks a server, this one or another, and reads what came back. */
import { parseGoBool } from "../config/go-bool.ts";
import { systemClock } from "../host/clock.ts";
import { errorText } from "../host/error-text.ts";
import { Pace } from "../service/pace.ts";
import { type Codec, decodeValue, encodeValue, structOf } from "../wire/codec.ts";
import { encodeQueryOptions } from "../wire/rpc-status.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { ApiError, statusOf } from "./errors.ts";
import type { ReadQuery } from "./query.ts";

/** Which region is asked, and whether a server may answer that does not lead. */
export interface Asked {
  readonly region: string;
  readonly stale: boolean;
}

export function askedOf(
  context: AgentFacts,
  { region, stale }: Pick<ReadQuery, "region" | "stale">,
): Asked {
  return { region: region || context.config.region, stale: isMeant(stale) };
}

/** A flag of a query string: given without a value it is meant. */
function isMeant(flag: string | undefined): boolean {
  return flag === "" || parseGoBool(flag ?? "") === true;
}

export function readBody({ region, stale }: Asked): Uint8Array {
  if (region !== last.region || stale !== last.stale) {
    last = { region, stale, body: encodeQueryOptions({ Region: region, AllowStale: stale }) };
  }
  return last.body;
}

/** Nearly all ask the same. */
let last = { region: "", stale: false, body: encodeQueryOptions({}) };

/** Of an answer that becomes JSON, and is compressed. */
const BYTES_PER_MS = 16 * 1024;
/** One change of the nodes ends the wait of all who watch them, and their answers come at once. */
const pace = new Pace(systemClock);

/**
 * @param signal aborted when nobody waits for the answer any more
 * @throws ApiError with the code that the error carries, or 500
 */
export async function ask(
  context: Servers,
  method: string,
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    const answer = await context.call(method, body, signal);
    const turn = pace.begin(answer.length / BYTES_PER_MS, signal);
    if (turn !== undefined) await turn;
    return answer;
  } catch (error) {
    const text = errorText(error);
    const [, code, message] = /^RPC Error:: (\d{3}),(.*)$/s.exec(text) ?? [];
    throw new ApiError(Number(code ?? statusOf(text)), message ?? text);
  }
}

/** What a method is asked, of its fields those that are not zero. */
export function requestOf<T extends object>(codec: Codec<T>, fields: Partial<T>): Uint8Array {
  return encodeValue(codec, structOf(codec, fields));
}

export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const value = decodeValue(codec, bytes);
  if (value === undefined) throw new ApiError(500, "the server's answer cannot be read");
  return value;
}
