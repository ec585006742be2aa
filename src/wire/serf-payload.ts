/**
 * What Serf puts inside other messages: tags (a node's meta), query filters, key requests and their
 * answers (wire/gossip.md §10.1, §10.3, §10.9).
 *
 * @module
 */
import type { Filter, KeyResponse, Tags } from "../protocol/serf/message.ts";
import { readList } from "./msgpack-list.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import { decodeText } from "./text.ts";

export const SerfType = {
  leave: 0,
  join: 1,
  pushPull: 2,
  userEvent: 3,
  query: 4,
  queryResponse: 5,
  conflictResponse: 6,
  keyRequest: 7,
  keyResponse: 8,
  relay: 9,
} as const;

const TAG_MAGIC = 0xff;
const FILTER_NODES = 0;
const FILTER_TAG = 1;
const KEY_RESPONSE_FIELDS = ["Result", "Message", "Keys", "PrimaryKey"];

export function encodeTags(tags: Tags): Uint8Array {
  const out = new MsgpackWriter().byte(TAG_MAGIC).map(tags.size);
  for (const [key, value] of tags) out.text(key).text(value);
  return out.take();
}

/** Without the magic byte the whole meta is the role: nodes before tags existed. */
export function decodeTags(meta: Uint8Array | null): Tags {
  if (meta === null || meta[0] !== TAG_MAGIC) {
    return new Map([["role", decodeText(meta ?? new Uint8Array(0))]]);
  }
  const reader = new MsgpackReader(meta, 1);
  const tags = new Map<string, string>();
  const count = reader.map();
  for (let i = 0; i < count && reader.ok; i++) {
    const key = reader.text();
    const value = reader.text();
    if (reader.ok) tags.set(key, value); // Cut short: what came before stays.
  }
  return tags;
}

export function decodeFilter(bytes: Uint8Array): Filter | undefined {
  const reader = new MsgpackReader(bytes, 1);
  if (bytes[0] === FILTER_NODES) {
    const names = readList(reader, () => reader.text()) ?? [];
    return reader.ok ? { kind: "nodes", names } : undefined;
  }
  if (bytes[0] !== FILTER_TAG) return undefined;
  let tag = "";
  let expr = "";
  reader.struct(["Tag", "Expr"], (name) => {
    if (name === "Tag") tag = reader.text();
    else expr = reader.text();
  });
  return reader.ok ? { kind: "tag", tag, expr } : undefined;
}

export function encodeKeyRequest(key: Uint8Array): Uint8Array {
  return new MsgpackWriter().byte(SerfType.keyRequest).map(1).key("Key").raw(key).take();
}

export function decodeKeyRequest(payload: Uint8Array | null): Uint8Array | undefined {
  if (payload === null || payload[0] !== SerfType.keyRequest) return undefined;
  const reader = new MsgpackReader(payload, 1);
  let key: Uint8Array = new Uint8Array(0);
  reader.struct(["Key"], () => {
    key = reader.raw()?.slice() ?? key;
  });
  return reader.ok ? key : undefined;
}

export function encodeKeyResponse(response: KeyResponse): Uint8Array {
  const out = new MsgpackWriter().byte(SerfType.keyResponse).map(4).key("Keys");
  if (response.keys === null) out.nil();
  else {
    out.array(response.keys.length);
    for (const key of response.keys) out.text(key);
  }
  out.key("Message").text(response.message).key("PrimaryKey").text(response.primaryKey);
  return out.key("Result").bool(response.result).take();
}

export function decodeKeyResponse(payload: Uint8Array | null): KeyResponse | undefined {
  if (payload === null || payload[0] !== SerfType.keyResponse) return undefined;
  const reader = new MsgpackReader(payload, 1);
  let result = false;
  let [message, primaryKey] = ["", ""];
  let keys: string[] | null = null;
  reader.struct(KEY_RESPONSE_FIELDS, (name) => {
    if (name === "Result") result = reader.bool();
    else if (name === "Message") message = reader.text();
    else if (name === "Keys") keys = readList(reader, () => reader.text());
    else primaryKey = reader.text();
  });
  return reader.ok ? { result, message, keys, primaryKey } : undefined;
}
