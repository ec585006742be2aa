/**
 * What systemd is told of the agent's life (sd_notify(3)): ready, reloading, stopping. Without
 * NOTIFY_SOCKET nobody has asked, and nothing is said.
 *
 * @module
 */
import { openUnixDatagrams } from "./unix-datagram.ts";

export interface ServiceManager {
  ready(): void;
  reloading(): void;
  stopping(): void;
}

/** Never throws: a supervisor that does not listen is no reason not to run. */
export async function connectServiceManager(socket: string | undefined): Promise<ServiceManager> {
  const datagrams =
    socket === undefined || socket === ""
      ? undefined
      : await openUnixDatagrams(socket).catch(() => undefined);
  const say = (...lines: readonly string[]): void => {
    datagrams?.send(new TextEncoder().encode(lines.join("\n")));
  };
  return {
    ready: () => say("READY=1"),
    // Type=notify-reload wants to know when, on the clock that never jumps.
    reloading: () => say("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => say("STOPPING=1"),
  };
}
