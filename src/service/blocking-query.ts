/**
 * Blocking queries (wire/rpc-and-raft.md §4.4): a reader that has seen index N waits until there is
 * something newer, or its time is over; then it gets what there is.
 *
 * @module
 */
import type { Clock } from "../host/host.ts";
import type { Prng } from "../protocol/ports.ts";
import type { QueryOptions } from "../wire/rpc-status.ts";

/** Asked for nothing, or for more: so long. */
const WAIT_MAX_MS = 300_000;
/** Up to so much longer, so that a thousand readers do not come back at once. */
const JITTER_PART = 16;

interface Watched {
  /** Of the last change of what is read. */
  readonly index: () => number;
  /** Calls at each change until the result is called. */
  readonly watch: (changed: () => void) => () => void;
}

/** How long an answer is held back, without the jitter. */
function queryWaitMs(options: Pick<QueryOptions, "MaxQueryTime">): number {
  const asked = Number(options.MaxQueryTime) / 1e6;
  return asked <= 0 || asked > WAIT_MAX_MS ? WAIT_MAX_MS : asked;
}

/** How long a server may hold an answer back at most; 0: it answers at once. */
export function queryHeldMs(options: Pick<QueryOptions, "MinQueryIndex" | "MaxQueryTime">): number {
  if (options.MinQueryIndex === 0n && options.MaxQueryTime <= 0n) return 0;
  const waitMs = queryWaitMs(options);
  return waitMs + waitMs / JITTER_PART;
}

/**
 * Resolves when it is time to answer; at once if nothing has to be waited for.
 *
 * @param signal nobody waits any more: rejects with its reason
 */
export function whenNewer(
  options: Pick<QueryOptions, "MinQueryIndex" | "MaxQueryTime">,
  watched: Watched,
  clock: Clock,
  prng: Prng,
  signal?: AbortSignal,
): Promise<void> | undefined {
  if (options.MinQueryIndex === 0n) return undefined;
  const heldMs = (): number => {
    const waitMs = queryWaitMs(options);
    return waitMs + (prng.next() * waitMs) / JITTER_PART;
  };
  return whenPast(options.MinQueryIndex, heldMs, watched, clock, signal);
}

/**
 * Resolves when there is something newer than that index, or it has been waited for long enough.
 *
 * @param waitMs asked only if it has to be waited for
 * @param signal nobody waits any more: rejects with its reason
 * @returns undefined: it is there already
 */
export function whenPast(
  index: bigint,
  waitMs: () => number,
  watched: Watched,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> | undefined {
  const isNewer = (): boolean => BigInt(watched.index()) > index;
  if (isNewer()) return undefined;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const until = clock.now() + waitMs();
    const over = (): void => {
      forget();
      cancel();
      signal?.removeEventListener("abort", gone);
    };
    const done = (): void => {
      over();
      resolve();
    };
    const gone = (): void => {
      over();
      reject(signal?.reason);
    };
    const cancel = clock.schedule(until, done);
    const forget = watched.watch(() => {
      if (isNewer()) done();
    });
    signal?.addEventListener("abort", gone);
  });
}
