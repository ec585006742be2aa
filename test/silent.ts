/** A log that nobody hears. */
import type { Log } from "../src/host/host.ts";

const nothing = (): void => undefined;
export const silent: Log = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  named: () => silent,
};
