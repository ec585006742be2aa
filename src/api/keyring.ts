/**
 * /v1/agent/keyring: the gossip keys of the whole pool, through Serf's key queries. Nomad's answers,
 * and beside them what operators ask for: which key is primary where, and why a node refused.
 *
 * @module
 */

import { sha256 } from "../host/digest.ts";
import { visible } from "../host/visible.ts";
import type { KeyQueryResult } from "../protocol/serf/action.ts";
import type { KeyOperation } from "../protocol/serf/key-queries.ts";
import { isKeyFault, parseKey } from "../secret/key.ts";
import { printable } from "../wire/text.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { JsonBody } from "./json-body.ts";

const NO_KEY = new Uint8Array(0);
const FINGERPRINT = /^[\da-f]{16}$/;

/** Nomad's form: the keys themselves and on how many members each is. For operators only. */
export async function listKeys(context: ApiContext): Promise<JsonObject> {
  const result = await ask(context, "list", NO_KEY);
  return { Keys: Object.fromEntries(count(result).keys), ...outcome(result) };
}

/** Ours: fingerprints instead of keys, where each is the primary, and what each member has. */
export async function listFingerprints(context: ApiContext): Promise<JsonObject> {
  const result = await ask(context, "list", NO_KEY);
  const { keys, primaries } = count(result);
  const list = [...keys].map(([text, nodes]) => ({
    ...described(text),
    Nodes: nodes,
    PrimaryOn: primaries.get(text) ?? 0,
  }));
  const members = [...result.answers]
    .map(([node, answer]) => ({
      Name: printable(node),
      Primary: described(answer.primaryKey).Fingerprint,
      Keys: (answer.keys ?? []).map((text) => described(text).Fingerprint),
    }))
    .sort((a, b) => (a.Name < b.Name ? -1 : 1));
  return { Keys: list, Members: members, ...outcome(result) };
}

function described(base64: string): { readonly Fingerprint: string; readonly Bits: number } {
  const key = parseKey(base64, sha256);
  if (isKeyFault(key)) return { Fingerprint: "unreadable", Bits: 0 };
  return { Fingerprint: key.fingerprint, Bits: key.bytes.length * 8 };
}

/**
 * @param body the request's JSON: `{"Key": "<base64>"}`, or `{"Fingerprint": …}` of one they have;
 * a GET has none
 */
export async function changeKeys(
  context: ApiContext,
  operation: Exclude<KeyOperation, "list">,
  body: string | undefined,
): Promise<JsonObject> {
  const named = namedIn(body);
  const text =
    "fingerprint" in named ? await withFingerprint(context, named.fingerprint) : named.key;
  const key = parseKey(text, sha256);
  if (isKeyFault(key)) {
    const found = key.kind === "bad-length" ? `${key.bytes} bytes` : "text that is not base64";
    throw new ApiError(500, `the gossip key must be base64 of 16, 24 or 32 bytes, found ${found}`);
  }
  const result = await ask(context, operation, key.bytes);
  return { Keys: {}, ...outcome(result) };
}

function namedIn(
  body: string | undefined,
): { readonly key: string } | { readonly fingerprint: string } {
  const given = JsonBody.parse(body ?? "");
  const [key, fingerprint] = [given.text("Key"), given.text("Fingerprint")];
  if (key !== "") return { key };
  if (fingerprint !== "") return { fingerprint };
  throw new ApiError(400, 'Request body must be JSON: {"Key": "<base64>"}');
}

/** So that whoever only sees fingerprints need not be told the keys to use or remove one. */
async function withFingerprint(context: ApiContext, fingerprint: string): Promise<string> {
  // What is none may be a key, and is not said again.
  if (!FINGERPRINT.test(fingerprint)) throw new ApiError(400, "Fingerprint must be one of a key");
  const { keys } = count(await ask(context, "list", NO_KEY));
  const found = [...keys.keys()].find((one) => described(one).Fingerprint === fingerprint);
  if (found !== undefined) return found;
  throw new ApiError(404, `no member has a gossip key with the fingerprint ${fingerprint}`);
}

async function ask(
  context: ApiContext,
  operation: KeyOperation,
  key: Uint8Array,
): Promise<KeyQueryResult> {
  if (context.gossip === undefined) throw new ApiError(501, "Invalid method");
  const asked = context.gossip.askKeys(operation, key);
  if (typeof asked === "string") throw new ApiError(500, asked);
  const result = await asked;
  const { answers, expected, silent } = result;
  const failures = [...answers].filter(([, answer]) => !answer.result);
  const unheard = `no answer from ${[...silent].map(printable).sort().join(", ")}`;
  if (failures.length > 0) {
    const why = failures
      .map(([node, { message }]) => visible(printable(`${node}: ${message}`)))
      .sort();
    if (silent.size > 0) why.push(unheard);
    const text = `${failures.length}/${expected} nodes reported failure: ${why.join("; ")}`;
    throw new ApiError(500, text);
  }
  if (silent.size > 0) {
    const done = operation === "list" ? "" : "; the others have done it: repeat it when all answer";
    const heard = `${expected - silent.size}/${expected} nodes reported success`;
    throw new ApiError(500, `${heard}: ${unheard}${done}`);
  }
  return result;
}

function count(result: KeyQueryResult): {
  readonly keys: ReadonlyMap<string, number>;
  readonly primaries: ReadonlyMap<string, number>;
} {
  const keys = new Map<string, number>();
  const primaries = new Map<string, number>();
  for (const answer of result.answers.values()) {
    for (const key of answer.keys ?? []) keys.set(key, (keys.get(key) ?? 0) + 1);
    const { primaryKey } = answer;
    primaries.set(primaryKey, (primaries.get(primaryKey) ?? 0) + 1);
  }
  return { keys, primaries };
}

function outcome(result: KeyQueryResult): JsonObject {
  const messages = [...result.answers]
    .filter(([, { message }]) => message !== "")
    .map(([node, { message }]) => [printable(node), message]);
  return { Messages: Object.fromEntries(messages), NumNodes: result.expected };
}
