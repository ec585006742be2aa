/** One stream of a yamux session as a ByteStream; unread bytes wait in it, up to a window. */
import type { ByteStream, StreamHandler } from "../../host/host.ts";
import { Inbox } from "../../host/inbox.ts";
import type { Address } from "../../protocol/ports.ts";

/** What a stream asks of its session. */
interface MuxStreamCommands {
  write(bytes: Uint8Array): boolean;
  end(): void;
  reset(): void;
  consumed(bytes: number): void;
}

export class MuxStream implements ByteStream {
  readonly remote: Address;
  /** What the session puts in. */
  readonly inbox: Inbox;
  readonly #commands: MuxStreamCommands;

  constructor(remote: Address, commands: MuxStreamCommands) {
    this.remote = remote;
    this.#commands = commands;
    this.inbox = new Inbox((bytes) => commands.consumed(bytes));
  }

  write(bytes: Uint8Array): boolean {
    return this.#commands.write(bytes);
  }

  end(): void {
    this.#commands.end();
  }

  /** Over at once, on both sides. */
  destroy(): void {
    this.#commands.reset();
  }

  listen(handler: StreamHandler): void {
    this.inbox.listen(handler);
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout"> {
    return this.inbox.takeFirst(timeoutMs);
  }
}
