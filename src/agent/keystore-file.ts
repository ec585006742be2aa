/**
 * `server/keystore/`: what opens the signing keys of the replicated state, a file each, as base64.
 * Whoever has these and the state can sign as a server; so a snapshot goes without.
 *
 * @module
 */
import { join } from "node:path";
import { makeDirectory, readFileIfThere, SECRET_MODE, writeFileAtomic } from "../host/disk.ts";
import { filesIn, isThere, remove } from "../host/files.ts";
import { type Keystore, MemoryKeystore } from "../service/identity/keystore.ts";

const SUFFIX = ".sealing-key";
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const BYTES = 32;

/** @param directory undefined: it is kept nowhere, in dev mode */
export function keystoreIn(directory: string | undefined): Keystore {
  if (directory === undefined) return new MemoryKeystore();
  const pathOf = (id: string): string | undefined =>
    UUID.test(id) ? join(directory, `${id}${SUFFIX}`) : undefined;
  return {
    load: (id) => {
      const path = pathOf(id);
      return path === undefined ? undefined : readKey(path);
    },
    save: (id, key) => {
      const path = pathOf(id);
      if (path === undefined) throw new Error("the id of a signing key is no UUID");
      makeDirectory(directory);
      writeFileAtomic(path, `${key.toBase64()}\n`, SECRET_MODE);
    },
    remove: (id) => {
      const path = pathOf(id);
      try {
        if (path !== undefined) remove(path);
      } catch {
        // What it opens is no use any more; it goes when the disk lets it.
      }
    },
    ids: () => {
      if (!isThere(directory)) return [];
      const names = filesIn(directory).filter((name) => name.endsWith(SUFFIX));
      return names.map((name) => name.slice(0, -SUFFIX.length)).filter((id) => UUID.test(id));
    },
  };
}

/** undefined: it is not there, or was damaged: another server may have it. */
function readKey(path: string): Uint8Array | undefined {
  try {
    const bytes = readFileIfThere(path);
    if (bytes === undefined) return undefined;
    const key = Uint8Array.fromBase64(new TextDecoder().decode(bytes).trim());
    return key.length === BYTES ? key : undefined;
  } catch {
    return undefined;
  }
}
