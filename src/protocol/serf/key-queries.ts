/**
 * The four internal queries that rotate the gossip key (wire/gossip.md §10.9).
 *
 * @module
 */
import type { KeyQueryResult, QueryResult, Question } from "./action.ts";
import type { KeyResponse, Query, SerfCodec } from "./message.ts";

export type KeyOperation = "install" | "use" | "remove" | "list";

/** The keyring, as far as queries reach it. A text is why it was refused. */
export interface KeyKeeper {
  install(key: Uint8Array): string | undefined;
  use(key: Uint8Array): string | undefined;
  remove(key: Uint8Array): string | undefined;
  /** base64, primary first; empty without encryption. */
  list(): readonly string[];
}

const NAMES: Readonly<Record<KeyOperation, string>> = {
  install: "_serf_install-key",
  use: "_serf_use-key",
  remove: "_serf_remove-key",
  list: "_serf_list-keys",
};

/** Answers are single packets: one that is lost would be a failure of the whole change. */
const RELAYS = 2;

const EMPTY_RING = "Keyring is empty (encryption not enabled)";

/** The question to all members, ourselves included. */
export function keyQuestion(operation: KeyOperation, key: Uint8Array, codec: SerfCodec): Question {
  return {
    name: NAMES[operation],
    payload: codec.encodeKeyRequest(key),
    filters: [],
    wantAcks: false,
    relayFactor: RELAYS,
    timeoutMs: undefined,
  };
}

/** Answers that cannot be read count as none. */
export function keyResult(result: QueryResult, codec: SerfCodec): KeyQueryResult {
  const answers = new Map<string, KeyResponse>();
  const silent = new Set(result.silent);
  for (const [member, payload] of result.answers) {
    const answer = codec.decodeKeyResponse(payload);
    if (answer !== undefined) answers.set(member, answer);
    else silent.add(member);
  }
  return { answers, expected: result.expected, silent };
}

export function isKeyQuery(name: string): boolean {
  return Object.values(NAMES).includes(name);
}

/** Does what is asked and says how it went; `fits` bounds the answer. */
export function answerKeyQuery(
  query: Query,
  keys: KeyKeeper,
  codec: SerfCodec,
  fits: (payload: Uint8Array) => boolean,
): Uint8Array {
  if (query.name === NAMES.list) return listAnswer(keys, codec, fits);
  const key = codec.decodeKeyRequest(query.payload);
  if (key === undefined) return codec.encodeKeyResponse(answer(false, ""));
  const refusal =
    query.name === NAMES.install
      ? keys.install(key)
      : query.name === NAMES.use
        ? keys.use(key)
        : keys.remove(key);
  return codec.encodeKeyResponse(answer(refusal === undefined, refusal ?? ""));
}

/** Cut from the end until it fits; then the message says so. */
function listAnswer(
  keeper: KeyKeeper,
  codec: SerfCodec,
  fits: (payload: Uint8Array) => boolean,
): Uint8Array {
  const all = keeper.list();
  if (all.length === 0) return codec.encodeKeyResponse(answer(false, EMPTY_RING));
  const primaryKey = all[0] ?? "";
  for (let shown = all.length; shown > 0; shown--) {
    const message =
      shown === all.length
        ? ""
        : `truncated key list response, showing first ${shown} of ${all.length} keys`;
    const keys = all.slice(0, shown);
    const payload = codec.encodeKeyResponse({ result: true, message, keys, primaryKey });
    if (fits(payload)) return payload;
  }
  return codec.encodeKeyResponse(answer(false, "key list does not fit a response"));
}

function answer(result: boolean, message: string): KeyResponse {
  return { result, message, keys: null, primaryKey: "" };
}
