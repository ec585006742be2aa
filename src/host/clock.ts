/** The machine's clocks and timers. */
import type { Clock } from "./host.ts";

/** setTimeout fires at once above 2^31 ms; a timer that comes early is armed again by its owner. */
const TIMER_MS_MAX = 0x7fff_ffff;

let armed = 0;

/** Timers that have not come yet and were not cancelled: what is left behind shows in it. */
export function armedTimers(): number {
  return armed;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  schedule(at, run) {
    const delayMs = Math.min(Math.max(0, Math.ceil(at - performance.now())), TIMER_MS_MAX);
    let waits = true;
    armed += 1;
    const over = (): void => {
      if (waits) armed -= 1;
      waits = false;
    };
    const timer = setTimeout(() => {
      over();
      run();
    }, delayMs);
    return () => {
      over();
      clearTimeout(timer);
    };
  },
};
