/**
 * What a member does for others who cannot reach a third (wire/gossip.md §8.7): it pings for them,
 * and passes the ack on, or says after a while that there was none.
 *
 * @module
 */
import type { Deadlines } from "../deadlines.ts";
import type { Address, Instant } from "../ports.ts";
import type { SwimConfig } from "./config.ts";
import type { Ack, IndirectPing, Message, Ping, Source } from "./message.ts";

/** Pings in flight for others; more than anybody needs. */
const PINGS_MAX = 4096;
const KEY = "help:";

interface Asked {
  readonly by: Address;
  /** The asker's own number. */
  readonly seqNo: number;
  readonly nack: boolean;
}

interface HelperInit {
  readonly config: SwimConfig;
  readonly deadlines: Deadlines;
  /** Shared with our own probes: an ack says nothing else about what it answers. */
  readonly nextSeqNo: () => number;
  readonly source: () => Required<Source>;
  /** Sends with as much gossip as fits. */
  readonly sendWithGossip: (to: Address, message: Message) => void;
}

export class Helper {
  readonly #init: HelperInit;
  readonly #asked = new Map<number, Asked>();

  constructor(init: HelperInit) {
    this.#init = init;
  }

  /** Somebody asks us to ping for them. @returns false: too many do */
  ping(request: IndirectPing, from: Address, now: Instant): boolean {
    if (this.#asked.size >= PINGS_MAX) return false;
    const { nextSeqNo, source, config, deadlines, sendWithGossip } = this.#init;
    const seqNo = nextSeqNo();
    const by = replyAddress(request, from);
    this.#asked.set(seqNo, { by, seqNo: request.seqNo, nack: request.nack });
    deadlines.set(KEY + seqNo, now + config.probeTimeoutMs);
    const ours = source();
    const to = { ip: request.target, port: request.port || ours.sourcePort };
    const ping: Ping = { kind: "ping", seqNo, node: request.node, ...ours };
    sendWithGossip(to, ping);
    return true;
  }

  /** @returns true if somebody asked for it */
  ack({ seqNo }: Ack): boolean {
    const asked = this.#take(seqNo);
    if (asked === undefined) return false;
    this.#init.sendWithGossip(asked.by, { kind: "ack", seqNo: asked.seqNo, payload: null });
    return true;
  }

  /** True if the deadline was one of ours. */
  expired(key: string): boolean {
    if (!key.startsWith(KEY)) return false;
    const asked = this.#take(Number(key.slice(KEY.length)));
    if (asked?.nack) this.#init.sendWithGossip(asked.by, { kind: "nack", seqNo: asked.seqNo });
    return true;
  }

  #take(seqNo: number): Asked | undefined {
    const asked = this.#asked.get(seqNo);
    if (this.#asked.delete(seqNo)) this.#init.deadlines.clear(KEY + seqNo);
    return asked;
  }
}

/** The source that the message names, or else the socket it came from. */
export function replyAddress(source: Source, from: Address): Address {
  const { sourceAddr, sourcePort } = source;
  if (sourceAddr === undefined || sourcePort === undefined) return from;
  return { ip: sourceAddr, port: sourcePort };
}
