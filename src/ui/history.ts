/**
 * What counters did over the last minutes: the page asks for them anyway, and keeps what it saw.
 *
 * @module
 */
import { effect, signal } from "@preact/signals";
import type { Status } from "./answers.ts";
import { total } from "./format.ts";
import { status } from "./store.ts";

/** Ten minutes, at one every three seconds. */
const POINTS_MAX = 200;

interface Point {
  readonly atMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

const points = signal<readonly Point[]>([]);

/** From now on. */
export function keepHistory(): void {
  effect(() => {
    const now = status.value.value;
    if (now === undefined) return;
    const point = { atMs: Date.now(), counts: countsOf(now) };
    points.value = [...points.peek(), point].slice(-POINTS_MAX);
  });
}

function countsOf(now: Status): Record<string, number> {
  const { gossip, rpc, http, raft } = now;
  const { packets, streams } = gossip;
  const refusedAtGossip = total(packets?.refused ?? {}) + total(streams?.refused ?? {});
  const refusedAtRpc = total(rpc.refused) + handshakesRefused(rpc.tls);
  return {
    ...Object.fromEntries(refusalsOf(now)),
    packets: (packets?.sent ?? 0) + (packets?.received ?? 0),
    commits: raft.commit_index ?? 0,
    requests: rpc.requests,
    refused: refusedAtGossip + refusedAtRpc + handshakesRefused(http.tls),
  };
}

function handshakesRefused({ handshakes }: Status["rpc"]["tls"]): number {
  return Object.values(handshakes).reduce((sum, one) => sum + total(one.refused), 0);
}

/** A counter's growth a second, between each two points. Starts anew with the agent. */
export function rates(name: string): readonly number[] {
  return points.value.slice(1).map((point, i) => {
    const before = points.value[i];
    const seconds = (point.atMs - (before?.atMs ?? point.atMs)) / 1000;
    const grown = (point.counts[name] ?? 0) - (before?.counts[name] ?? 0);
    return seconds > 0 ? Math.max(0, grown) / seconds : 0;
  });
}

/** Refusals of each reason, of this agent. */
export function refusalsOf({ gossip, rpc, http }: Status): readonly (readonly [string, number])[] {
  const parts = {
    "gossip packets": gossip.packets?.refused ?? {},
    "gossip streams": gossip.streams?.refused ?? {},
    "server port": rpc.refused,
    "TLS of the server port": rpc.tls.handshakes["inbound"]?.refused ?? {},
    "TLS of HTTP": http.tls.handshakes["inbound"]?.refused ?? {},
  };
  return Object.entries(parts)
    .flatMap(([where, counts]) =>
      Object.entries(counts).map(([reason, n]): [string, number] => [`${where}: ${reason}`, n]),
    )
    .sort(([, a], [, b]) => b - a);
}
