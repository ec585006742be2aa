/** One stream of a yamux session as a ByteStream; unread bytes wait in it, up to a window. */
import type { ByteStream, StreamHandler } from "../../host/host.ts";
import { Inbox } from "../../host/inbox.ts";
import type { Address } from "../../protocol/ports.ts";

/** What the streams of a session ask of it. */
export interface MuxStreamCommands {
  write(stream: number, bytes: Uint8Array): boolean;
  end(stream: number): void;
  reset(stream: number): void;
  consumed(stream: number, bytes: number): void;
}

export class MuxStream implements ByteStream {
  readonly remote: Address;
  /** What the session puts in. */
  readonly inbox = new Inbox(this);
  readonly #id: number;
  readonly #commands: MuxStreamCommands;

  constructor(remote: Address, id: number, commands: MuxStreamCommands) {
    this.remote = remote;
    this.#id = id;
    this.#commands = commands;
  }

  write(bytes: Uint8Array): boolean {
    return this.#commands.write(this.#id, bytes);
  }

  end(): void {
    this.#commands.end(this.#id);
  }

  /** Over at once, on both sides. */
  destroy(): void {
    this.#commands.reset(this.#id);
  }

  /** The listener has taken so many. */
  consumed(bytes: number): void {
    this.#commands.consumed(this.#id, bytes);
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
