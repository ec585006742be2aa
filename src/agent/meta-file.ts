/** `client/meta.json`: what operators have changed of a node's metadata, kept over restarts. */
import { join } from "node:path";
import { readFileIfThere, SECRET_MODE, writeFileAtomic } from "../host/disk.ts";
import type { ChangedMeta } from "../service/node/node-meta.ts";

interface KeptMeta {
  readonly changed: ChangedMeta;
  readonly save: (changed: ChangedMeta) => void;
}

/**
 * @param directory undefined: it is kept nowhere, in dev mode
 * @throws Error with one sentence for the operator
 */
export function keptMeta(directory: string | undefined): KeptMeta {
  if (directory === undefined) return { changed: new Map(), save: () => undefined };
  const path = join(directory, "meta.json");
  const text = JSON.stringify;
  return {
    changed: readKept(path),
    save: (changed) => writeFileAtomic(path, text(Object.fromEntries(changed)), SECRET_MODE),
  };
}

function readKept(path: string): ChangedMeta {
  const bytes = readFileIfThere(path);
  if (bytes === undefined) return new Map();
  try {
    const kept: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const entries = Object.entries(Object(kept));
    return new Map(entries.map(([key, value]) => [key, value === null ? null : String(value)]));
  } catch {
    throw new Error(`${path} does not hold JSON; restore it, or remove it to forget the changes`);
  }
}
