/**
 * Metrics on their way to whoever collects them: statsd and Datadog by datagrams, statsite by a
 * connection. Nothing here waits: what cannot go out is dropped and counted.
 *
 * @module
 */
import type { Clock, Log } from "../../host/host.ts";
import type { Instant } from "../../protocol/ports.ts";
import { datadogLine, type MetricPoint, packLines, statsdLine } from "../../wire/metric-line.ts";
import { RefusalLog } from "../refusals.ts";

/** Where packets go. */
export interface Outlet {
  /** @returns false: there is no room, or nobody there, and it is gone */
  send(packet: Uint8Array): boolean;
  close(): void;
}

export type OpenOutlet = (lost: (why: string) => void) => Promise<Outlet>;

export type Dialect = "statsd" | "statsite" | "datadog";

interface SenderInit {
  readonly dialect: Dialect;
  readonly address: string;
  readonly open: OpenOutlet;
  readonly tags: readonly string[];
  /** Whose name is left out for Datadog. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Packets that went nowhere, by dialect: it grows. */
  readonly dropped: Map<string, number>;
}

/** Packets that no way cuts up: go-metrics', Datadog's; and what is written at once. */
const PACKET_BYTES_MAX: Readonly<Record<Dialect, number>> = {
  statsd: 1400,
  datadog: 1432,
  statsite: 4096,
};
/** Datadog's for sockets of this machine. */
const LOCAL_BYTES_MAX = 8192;
const RETRY_MS = 5000;
/** What waits while an outlet is opened: one sending, or little more. */
const WAITING_PACKETS_MAX = 64;
const LOG_MS = 60_000;

export class MetricSender {
  readonly #init: SenderInit;
  readonly #failures: RefusalLog;
  #outlet: Outlet | undefined;
  #opening = false;
  #closed = false;
  #retryAt: Instant = 0;
  #waiting: Uint8Array[] = [];

  constructor(init: SenderInit) {
    this.#init = init;
    this.#failures = new RefusalLog(init.clock, init.log, LOG_MS);
  }

  send(points: readonly MetricPoint[]): void {
    if (this.#closed) return;
    const { dialect, address, node, tags } = this.#init;
    const lines = points.map((point) =>
      dialect === "datadog" ? datadogLine(point, node, tags) : statsdLine(point),
    );
    const bytesMax = address.startsWith("unix://") ? LOCAL_BYTES_MAX : PACKET_BYTES_MAX[dialect];
    const packets = packLines(lines, bytesMax);
    if (this.#outlet === undefined) return this.#wait(packets);
    for (const packet of packets) this.#put(this.#outlet, packet);
  }

  close(): void {
    this.#closed = true;
    this.#outlet?.close();
    this.#outlet = undefined;
    this.#waiting = [];
  }

  #put(outlet: Outlet, packet: Uint8Array): void {
    if (!outlet.send(packet)) this.#drop(1);
  }

  #drop(packets: number): void {
    const { dropped, dialect } = this.#init;
    if (packets > 0) dropped.set(dialect, (dropped.get(dialect) ?? 0) + packets);
  }

  #wait(packets: readonly Uint8Array[]): void {
    const { clock } = this.#init;
    if (!this.#opening && clock.now() < this.#retryAt) {
      return this.#drop(packets.length);
    }
    const room = WAITING_PACKETS_MAX - this.#waiting.length;
    this.#waiting.push(...packets.slice(0, room));
    this.#drop(packets.length - room);
    if (!this.#opening) void this.#open();
  }

  async #open(): Promise<void> {
    this.#opening = true;
    try {
      const outlet = await this.#init.open((why) => this.#lost(why));
      if (this.#closed) return outlet.close();
      this.#outlet = outlet;
      for (const packet of this.#waiting) this.#put(outlet, packet);
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error));
    } finally {
      this.#opening = false;
      this.#waiting = [];
    }
  }

  /** Somebody may be there again later. */
  #lost(why: string): void {
    const { clock, dialect, address } = this.#init;
    this.#drop(this.#waiting.length);
    this.#waiting = [];
    this.#outlet?.close();
    this.#outlet = undefined;
    this.#retryAt = clock.now() + RETRY_MS;
    if (this.#closed) return;
    this.#failures.note("lost", `no metrics go to ${dialect}`, () => ({ address, error: why }));
  }
}
