/** Serf's three broadcast queues, and the order in which they fill a packet. */
import { Broadcasts } from "../swim/broadcasts.ts";
import type { SerfInit } from "./init.ts";

export class Queues {
  readonly intents: Broadcasts<Uint8Array>;
  readonly queries: Broadcasts<Uint8Array>;
  readonly events: Broadcasts<Uint8Array>;

  /** @param nodes members of any status: how often a broadcast is sent depends on it */
  constructor(init: Pick<SerfInit, "swim" | "config">, nodes: () => number) {
    const { retransmitMult: mult, datagramBytesMax: bytesMax } = init.swim;
    // Serf looks at them every 30 s only, and a peer may say much in 30 s.
    const lengthMax = 2 * init.config.queueDepthMax;
    const sizeOf = (bytes: Uint8Array): number => bytes.length;
    const queue = (): Broadcasts<Uint8Array> =>
      new Broadcasts({ mult, nodes, sizeOf, bytesMax, lengthMax });
    this.intents = queue();
    this.queries = queue();
    this.events = queue();
  }

  /** What fits, each message costing `overheadBytes` more than its length. */
  take(overheadBytes: number, limitBytes: number): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    let free = limitBytes;
    for (const queue of this.#all()) {
      const taken = queue.take(overheadBytes, free);
      for (const body of taken) free -= body.length + overheadBytes;
      bodies.push(...taken);
    }
    return bodies;
  }

  prune(lengthMax: number): void {
    for (const queue of this.#all()) queue.prune(lengthMax);
  }

  lengths(): Readonly<Record<"intent_queue" | "event_queue" | "query_queue", number>> {
    return {
      intent_queue: this.intents.length,
      event_queue: this.events.length,
      query_queue: this.queries.length,
    };
  }

  #all(): readonly Broadcasts<Uint8Array>[] {
    return [this.intents, this.queries, this.events];
  }
}
