/**
 * How a connection ends. Our sockets may be half open, and a peer that never ends its side would
 * keep a descriptor for ever: so every end has a deadline, and what was limited is free again only
 * when the connection is gone.
 *
 * @module
 */
import { systemClock } from "./clock.ts";
import type { ByteStream, Clock } from "./host.ts";

/** For what was written to go out, and for the peer to end its side. */
export const FINISH_MS = 10_000;
/** The same where we owe the peer no more than a word on why it is refused. */
export const FAREWELL_MS = 1000;

/**
 * Sends what was written, then ends our side; what still comes is dropped, and after `withinMs` the
 * connection is destroyed. Also for one that is destroyed already, to hear when it is gone.
 *
 * @returns when it is closed, which is when a limit may be released
 */
export function finish(
  stream: ByteStream,
  withinMs = FINISH_MS,
  clock: Clock = systemClock,
): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(clock.now() + withinMs, () => stream.destroy());
    stream.listen({
      data: () => undefined,
      ended: () => undefined,
      closed: () => {
        cancel();
        resolve();
      },
    });
    stream.end();
  });
}
