/** The machine's clocks and timers. */
import type { Clock } from "./host.ts";

/** setTimeout fires at once above 2^31 ms; a timer that comes early is armed again by its owner. */
const TIMER_MS_MAX = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  schedule(at, run) {
    const delayMs = Math.min(Math.max(0, Math.ceil(at - performance.now())), TIMER_MS_MAX);
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
