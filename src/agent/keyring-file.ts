/**
 * `serf.keyring`: the gossip keys at rest, primary first, as Serf and Nomad keep them. Once it is
 * there it wins over `server.encrypt`; a difference is named, never passed over.
 *
 * @module
 */
import { systemClock } from "../host/clock.ts";
import { sha256 } from "../host/digest.ts";
import { modifiedMs, readFileIfThere, SECRET_MODE, writeFileAtomic } from "../host/disk.ts";
import { type GossipKey, isKeyFault, parseKey } from "../secret/key.ts";
import { Keyring } from "../secret/keyring.ts";

export interface LoadedKeyring {
  readonly keyring: Keyring;
  /** Where it is kept; undefined in dev mode: nowhere. */
  readonly path: string | undefined;
  /** Set when the configured key is not in the ring that is used instead. */
  readonly divergence: string | undefined;
}

/** @throws Error with one sentence: the file is not a keyring */
export function loadKeyring(
  path: string | undefined,
  configured: GossipKey | undefined,
): LoadedKeyring {
  const stored = path === undefined ? undefined : readFileIfThere(path);
  if (stored === undefined || path === undefined) {
    const keyring = new Keyring(configured === undefined ? [] : [configured]);
    if (path !== undefined && configured !== undefined) saveKeyring(path, keyring, "compact");
    keyring.seen(systemClock.wallMs());
    return { keyring, path, divergence: undefined };
  }
  const keyring = new Keyring(parseKeyring(new TextDecoder().decode(stored), path));
  // None of them came after the file was written.
  keyring.seen(modifiedMs(path));
  if (configured === undefined || keyring.has(configured)) {
    return { keyring, path, divergence: undefined };
  }
  const divergence =
    `the gossip key of server.encrypt (${configured.fingerprint}) is not in the keyring ${path} ` +
    `(${keyring.keys.map((key) => key.fingerprint).join(", ")}): using the keyring; ` +
    "to start over with the configured key, stop the agent and remove that file";
  return { keyring, path, divergence };
}

/** Nomad creates the file in one line; Serf writes it indented afterwards. */
export function saveKeyring(path: string, keyring: Keyring, style: "compact" | "indented"): void {
  const keys = keyring.keys.map((key) => key.base64);
  const text = style === "compact" ? JSON.stringify(keys) : JSON.stringify(keys, null, 2);
  writeFileAtomic(path, text, SECRET_MODE);
}

function parseKeyring(text: string, path: string): readonly GossipKey[] {
  const fail = (why: string): never => {
    throw new Error(
      `failed to configure keyring: ${path} ${why}; restore it, or remove it to use server.encrypt`,
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail("is not JSON");
  }
  if (!Array.isArray(json)) return fail("is not a list of keys");
  if (json.length === 0) return fail("holds no keys");
  return json.map((one: unknown, index) => {
    const key = typeof one === "string" ? parseKey(one, sha256) : undefined;
    if (key === undefined || isKeyFault(key)) {
      return fail(`holds something that is no key of 16, 24 or 32 bytes at position ${index + 1}`);
    }
    return key;
  });
}
