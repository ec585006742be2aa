/** The gossip keys of all members, by fingerprint, from any server: Nomad's give the keys only. */
import { isObject } from "../config/tree.ts";
import { sha256 } from "../host/digest.ts";
import { isKeyFault, parseKey } from "../secret/key.ts";
import { field } from "./json-read.ts";

/** Takes no key further than this. @param answer of /v1/agent/keyring/list?fingerprints=true */
export function byFingerprint(answer: unknown): unknown {
  const keys = field(answer, "Keys");
  if (!isObject(answer) || !isObject(keys)) return answer;
  const list = Object.entries(keys).map(([text, Nodes]) => {
    const key = parseKey(text, sha256);
    const fault = isKeyFault(key);
    const Fingerprint = fault ? "unreadable" : key.fingerprint;
    return { Fingerprint, Bits: fault ? 0 : key.bytes.length * 8, Nodes };
  });
  return { ...answer, Keys: list };
}

/** Does the server say which key is in use where? Nomad's does not. */
export function tellsPrimary(key: unknown): boolean {
  return field(key, "PrimaryOn") !== undefined;
}
