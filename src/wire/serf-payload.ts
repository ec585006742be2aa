/**
 * What Serf puts inside other messages: tags (a node's meta), query filters, key requests and their
 * answers, members in conflicts, coordinates (wire/gossip.md §10.1, §10.3, §10.9, §10.11).
 *
 * @module
 */

import type { Coordinate } from "../protocol/serf/coordinate.ts";
import type { Filter, KeyResponse, SerfMember, Tags } from "../protocol/serf/message.ts";
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
const COORDINATE_VERSION = 1;
const COORDINATE_FIELDS = ["Vec", "Error", "Adjustment", "Height"];
/** Wire numbers of Serf's member status. */
const STATUS = ["none", "alive", "leaving", "left", "failed"] as const;

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

export function encodeFilter(filter: Filter): Uint8Array {
  if (filter.kind === "nodes") {
    const out = new MsgpackWriter().byte(FILTER_NODES).array(filter.names.length);
    for (const name of filter.names) out.text(name);
    return out.take();
  }
  const out = new MsgpackWriter().byte(FILTER_TAG).map(2);
  return out.key("Expr").text(filter.expr).key("Tag").text(filter.tag).take();
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

export function encodeConflict(member: SerfMember | undefined): Uint8Array {
  const out = new MsgpackWriter().byte(SerfType.conflictResponse);
  if (member === undefined) return out.nil().take();
  const [pmin = 0, pmax = 0, pcur = 0, dmin = 0, dmax = 0, dcur = 0] = member.versions;
  out.map(11).key("Addr").raw(member.ip).key("DelegateCur").uint(dcur);
  out.key("DelegateMax").uint(dmax).key("DelegateMin").uint(dmin);
  out.key("Name").text(member.name).key("Port").uint(member.port);
  out.key("ProtocolCur").uint(pcur).key("ProtocolMax").uint(pmax).key("ProtocolMin").uint(pmin);
  out.key("Status").int(STATUS.indexOf(member.status)).key("Tags").map(member.tags.size);
  for (const [key, value] of member.tags) out.text(key).text(value);
  return out.take();
}

export function encodeCoordinate(own: Coordinate): Uint8Array {
  const out = new MsgpackWriter(160).byte(COORDINATE_VERSION).map(4);
  out.key("Adjustment").float64(own.adjustment).key("Error").float64(own.error);
  out.key("Height").float64(own.height).key("Vec").array(own.vec.length);
  for (const value of own.vec) out.float64(value);
  return out.take();
}

export function decodeCoordinate(payload: Uint8Array | null): Coordinate | undefined {
  if (payload === null || payload[0] !== COORDINATE_VERSION) return undefined;
  const reader = new MsgpackReader(payload, 1);
  let vec: number[] = [];
  let [error, adjustment, height] = [0, 0, 0];
  reader.struct(COORDINATE_FIELDS, (name) => {
    if (name === "Vec") vec = readList(reader, () => reader.float64()) ?? [];
    else if (name === "Error") error = reader.float64();
    else if (name === "Adjustment") adjustment = reader.float64();
    else height = reader.float64();
  });
  return reader.ok ? { vec, error, adjustment, height } : undefined;
}
