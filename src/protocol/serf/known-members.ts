/**
 * The file of known members as lines; Serf calls it its snapshot (wire/gossip.md §12). Who was
 * alive and what the clocks said, so that a restarted node finds its cluster without any configured
 * address.
 *
 * @module
 */
import type { SerfEvent } from "./action.ts";
import type { LTime } from "./message.ts";

export interface KnownMembers {
  /** Name to `ip:port`, as written. */
  readonly alive: ReadonlyMap<string, string>;
  readonly clock: LTime;
  readonly eventClock: LTime;
  readonly queryClock: LTime;
}

const COMPACT_BYTES_MIN = 128 * 1024;
const COMPACT_BYTES_PER_NODE = 256;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** What a file says. Unknown and broken lines are skipped; a torn last line is dropped. */
export function readKnownMembers(text: string, rejoinAfterLeave: boolean): KnownMembers {
  const alive = new Map<string, string>();
  const clocks = { clock: 0n, "event-clock": 0n, "query-clock": 0n };
  const lines = text.split("\n");
  lines.pop(); // Behind the last newline: nothing, or what a crash left.
  for (const line of lines) {
    if (line === "leave") {
      if (rejoinAfterLeave) continue;
      alive.clear();
      clocks.clock = 0n;
      clocks["event-clock"] = 0n;
      clocks["query-clock"] = 0n;
    } else if (line.startsWith("alive: ")) {
      const split = line.lastIndexOf(" ");
      if (split > "alive:".length) alive.set(line.slice(7, split), line.slice(split + 1));
    } else if (line.startsWith("not-alive: ")) {
      alive.delete(line.slice(11));
    } else {
      const found = /^(clock|event-clock|query-clock): (\d{1,20})$/.exec(line);
      const value = BigInt(found?.[2] ?? -1);
      if (value < 0n || value > U64_MAX) continue;
      if (found?.[1] === "clock") clocks.clock = value;
      else if (found?.[1] === "event-clock") clocks["event-clock"] = value;
      else clocks["query-clock"] = value;
    }
  }
  const { clock, "event-clock": eventClock, "query-clock": queryClock } = clocks;
  return { alive, clock, eventClock, queryClock };
}

/** Turns what happens into lines to append, and knows when to write the file anew. */
export class KnownMembersWriter {
  readonly #alive: Map<string, string>;
  #clock: LTime;
  #eventClock: LTime;
  #queryClock: LTime;
  #left = false;

  constructor(start: KnownMembers) {
    this.#alive = new Map(start.alive);
    this.#clock = start.clock;
    this.#eventClock = start.eventClock;
    this.#queryClock = start.queryClock;
  }

  /** @param address the member's `ip:port`; @param clock the member clock now */
  event(event: SerfEvent, address: string, clock: LTime): string {
    if (this.#left) return "";
    switch (event.kind) {
      case "member-join":
        this.#alive.set(event.member.name, address);
        return `alive: ${event.member.name} ${address}\n${this.clock(clock)}`;
      case "member-leave":
      case "member-failed":
        this.#alive.delete(event.member.name);
        return `not-alive: ${event.member.name}\n${this.clock(clock)}`;
      case "user":
        if (event.lTime <= this.#eventClock) return "";
        this.#eventClock = event.lTime;
        return `event-clock: ${event.lTime}\n`;
      case "query":
        if (event.lTime <= this.#queryClock) return "";
        this.#queryClock = event.lTime;
        return `query-clock: ${event.lTime}\n`;
      default:
        return "";
    }
  }

  /** The clock line, if the clock has moved; the file has the time before the current one. */
  clock(now: LTime): string {
    const seen = now - 1n;
    if (this.#left || seen <= this.#clock) return "";
    this.#clock = seen;
    return `clock: ${seen}\n`;
  }

  /** After it nothing is recorded any more. */
  leave(): string {
    if (this.#left) return "";
    this.#left = true;
    return "leave\n";
  }

  shouldCompact(fileBytes: number): boolean {
    const limit = Math.max(COMPACT_BYTES_MIN, this.#alive.size * COMPACT_BYTES_PER_NODE);
    return !this.#left && fileBytes > limit;
  }

  /** The whole file, as short as it can be. */
  compacted(): string {
    const alive = [...this.#alive].map(([name, address]) => `alive: ${name} ${address}\n`);
    const clocks = [
      `clock: ${this.#clock}\n`,
      `event-clock: ${this.#eventClock}\n`,
      `query-clock: ${this.#queryClock}\n`,
    ];
    return [...alive, ...clocks].join("");
  }
}
