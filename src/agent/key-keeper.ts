/** Key queries of the gossip pool change our keyring, and its file with it. */
import { systemClock } from "../host/clock.ts";
import { sha256 } from "../host/digest.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import type { KeyKeeper } from "../protocol/serf/key-queries.ts";
import { type GossipKey, isKeyFault, makeKey } from "../secret/key.ts";
import { Keyring } from "../secret/keyring.ts";
import { type LoadedKeyring, saveKeyring } from "./keyring-file.ts";

export type KeyChange = "install" | "use" | "remove";

/** What was done with which key, and the ring as it is now, primary first: fingerprints only. */
export type KeyChanged = (
  operation: KeyChange,
  fingerprint: string,
  ring: readonly string[],
) => void;

/**
 * A change that cannot be saved is none: after a restart this server would be the only one that
 * does not know of it. The ring stays as it was, and whoever asked hears why.
 */
export function createKeyKeeper(
  { keyring, path }: LoadedKeyring,
  log: Log,
  changed: KeyChanged = () => undefined,
): KeyKeeper {
  const change = (
    operation: KeyChange,
    bytes: Uint8Array,
    apply: (ring: Keyring, key: GossipKey) => string | undefined,
  ): string | undefined => {
    if (keyring.primary === undefined) return "No keyring to modify (encryption not enabled)";
    const key = makeKey(bytes, sha256);
    if (isKeyFault(key)) return "key size must be 16, 24 or 32 bytes";
    const next = new Keyring(keyring.keys);
    const refusal = apply(next, key) ?? save(next);
    if (refusal !== undefined) return refusal;
    const before = fingerprintsOf(keyring);
    const keys = fingerprintsOf(next);
    keyring.become(next);
    keyring.seen(systemClock.wallMs());
    log.info("gossip keyring changed", { keys });
    if (before.join() !== keys.join()) changed(operation, key.fingerprint, keys);
    return undefined;
  };
  const save = (next: Keyring): string | undefined => {
    if (path === undefined) return undefined;
    try {
      saveKeyring(path, next, "indented");
      return undefined;
    } catch (error) {
      const why = errorText(error);
      log.error("cannot write the gossip keyring: the change is refused", { path, error: why });
      return `Failed to write keyring file: ${why}`;
    }
  };
  return {
    install: (bytes) => change("install", bytes, (ring, key) => void ring.add(key)),
    use: (bytes) => change("use", bytes, (ring, key) => ring.use(key)),
    remove: (bytes) => change("remove", bytes, (ring, key) => ring.remove(key)),
    list: () => keyring.keys.map((key) => key.base64),
  };
}

function fingerprintsOf({ keys }: Keyring): readonly string[] {
  return keys.map(({ fingerprint }) => fingerprint);
}
