/** Lists in msgpack. */
import type { MsgpackReader } from "./msgpack-reader.ts";

/** Elements kept of one list; the packet itself bounds what can be there. */
const LIST_MAX = 1 << 20;

/** nil stays null; an element that is nil is an empty one. */
export function readList<T>(reader: MsgpackReader, element: () => T | undefined): T[] | null {
  const count = reader.array();
  if (count < 0) return null;
  const list: T[] = [];
  for (let i = 0; i < count && i < LIST_MAX && reader.ok; i++) {
    const one = element();
    if (one !== undefined) list.push(one);
  }
  return list;
}
