/**
 * Events of one index as they wait for whoever subscribes: changes at first, JSON as soon as
 * somebody wants one of them. It is made once, and all subscribers share it.
 *
 * @module
 */
import type { Change } from "../../state/change.ts";
import { encodeEvents } from "../../wire/rpc-event.ts";

/** Keys by topic, of which a request may have thousands; `*` stands for any of either. */
export type Topics = ReadonlyMap<string, ReadonlySet<string>>;

const ANY = "*";

/** By what of an event a subscriber finds it. */
type Told = Pick<Change, "topic" | "key" | "filterKeys" | "namespace">;

export class EventItem {
  readonly index: number;
  /** What it takes; about, until it is JSON. */
  bytes: number;
  #changes: readonly Told[];
  #payloads: readonly Change[] | undefined;
  /** All of them in one frame, and each as the part of it that it is. */
  #frame: Uint8Array = new Uint8Array(0);
  #parts: readonly Uint8Array[] = [];

  constructor(index: number, changes: readonly Change[]) {
    this.index = index;
    this.#changes = changes;
    this.#payloads = changes;
    this.bytes = changes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get count(): number {
    return this.#changes.length;
  }

  /** @param namespace "": whatever it is */
  isWanted(topics: Topics, namespace: string): boolean {
    return this.#changes.some((one) => isWanted(one, topics, namespace));
  }

  /** What of it is wanted, as a frame; undefined: nothing is. */
  frame(topics: Topics, namespace: string): Uint8Array | undefined {
    const wanted = this.#changes.map((one) => isWanted(one, topics, namespace));
    if (!wanted.includes(true)) return undefined;
    this.#encode();
    if (!wanted.includes(false)) return this.#frame;
    const parts = this.#parts.filter((_part, i) => wanted[i] === true);
    return encodeEvents(Buffer.concat(this.#pieces(parts)));
  }

  #encode(): void {
    const changes = this.#payloads;
    if (changes === undefined) return;
    const texts = changes.map((one) => Buffer.from(jsonText(one, this.index)));
    const pieces = this.#pieces(texts);
    const data = Buffer.concat(pieces);
    this.#frame = encodeEvents(data);
    // The data is the end of the frame: no event is kept twice.
    let at = this.#frame.length - data.length;
    const parts: Uint8Array[] = [];
    for (const [i, { length }] of pieces.entries()) {
      if (i % 2 === 1) parts.push(this.#frame.subarray(at, at + length));
      at += length;
    }
    this.#parts = parts;
    this.#changes = changes.map(({ topic, key, filterKeys = [], namespace = "" }) => {
      return { topic, key, filterKeys, namespace };
    });
    this.#payloads = undefined;
    this.bytes = this.#frame.length;
  }

  /** Events with what stands around them; they are every second one. */
  #pieces(events: readonly Uint8Array[]): Uint8Array[] {
    const pieces = events.flatMap((one, i) => {
      return [Buffer.from(i === 0 ? `{"Index":${this.index},"Events":[` : ","), one];
    });
    return [...pieces, Buffer.from("]}")];
  }
}

function jsonText(change: Change, index: number): string {
  const { topic, type, key, namespace = "", filterKeys = [] } = change;
  return JSON.stringify({
    Topic: topic,
    Type: type,
    Key: key,
    Namespace: namespace,
    FilterKeys: filterKeys.length === 0 ? null : filterKeys,
    Index: index,
    Payload: change.payload() ?? null,
  });
}

function isWanted(
  { topic, key, filterKeys = [], namespace = "" }: Told,
  topics: Topics,
  wantedNamespace: string,
): boolean {
  const keys = topics.get(ANY) ?? topics.get(topic);
  if (keys === undefined) return false;
  const isElsewhere = namespace !== "" && wantedNamespace !== "" && wantedNamespace !== ANY;
  if (isElsewhere && namespace !== wantedNamespace) return false;
  return keys.has(ANY) || keys.has(key) || filterKeys.some((one) => keys.has(one));
}
