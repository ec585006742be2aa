/** Key queries of the gossip pool change our keyring, and its file with it. */
import { sha256 } from "../host/digest.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import type { KeyKeeper } from "../protocol/serf/key-queries.ts";
import { type GossipKey, isKeyFault, makeKey } from "../secret/key.ts";
import { type LoadedKeyring, saveKeyring } from "./keyring-file.ts";

export function createKeyKeeper({ keyring, path }: LoadedKeyring, log: Log): KeyKeeper {
  const change = (bytes: Uint8Array, apply: (key: GossipKey) => string | undefined) => {
    if (keyring.primary === undefined) return "No keyring to modify (encryption not enabled)";
    const key = makeKey(bytes, sha256);
    if (isKeyFault(key)) return "key size must be 16, 24 or 32 bytes";
    const refusal = apply(key);
    if (refusal === undefined) changed();
    return refusal;
  };
  const changed = (): void => {
    log.info("gossip keyring changed", { keys: keyring.keys.map((key) => key.fingerprint) });
    if (path === undefined) return;
    try {
      saveKeyring(path, keyring, "indented");
    } catch (error) {
      log.error("cannot write the gossip keyring", { path, error: errorText(error) });
    }
  };
  return {
    install: (bytes) => change(bytes, (key) => void keyring.add(key)),
    use: (bytes) => change(bytes, (key) => keyring.use(key)),
    remove: (bytes) => change(bytes, (key) => keyring.remove(key)),
    list: () => keyring.keys.map((key) => key.base64),
  };
}
