/** An identity: a UUID that outlives restarts, in a file as Nomad keeps it (`server/node-id`). */
import { readFileIfThere, SECRET_MODE, writeFileAtomic } from "../host/disk.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * @param path undefined: a fresh one each time (dev mode)
 * @param fresh what a new one is; by default one by chance
 */
export function loadNodeId(path: string | undefined, fresh?: string): string {
  const stored = path === undefined ? undefined : readFileIfThere(path);
  if (stored !== undefined) {
    const id = new TextDecoder().decode(stored).trim().toLowerCase();
    if (UUID.test(id)) return id;
    throw new Error(`${path} does not hold a UUID; restore it, or remove it for a new identity`);
  }
  const id = fresh ?? crypto.randomUUID();
  if (path !== undefined) writeFileAtomic(path, id, SECRET_MODE);
  return id;
}
