/** A Unix datagram socket that hears what is sent to it, as syslog's and systemd's do. */
import { dlopen } from "bun:ffi";
import { rmSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
});
const DONT_WAIT = 0x40;

export class UnixListener implements Disposable {
  readonly #socket: number;
  readonly #path: string;

  /** @param path with `@` in front: an abstract name */
  constructor(path: string) {
    this.#path = path;
    this.#socket = libc.socket(1, 2, 0);
    const name = new TextEncoder().encode(path);
    const address = new Uint8Array(3 + name.length);
    address[0] = 1;
    address.set(name, 2);
    const isAbstract = path.startsWith("@");
    if (isAbstract) address[2] = 0;
    const length = address.length - (isAbstract ? 1 : 0);
    if (libc.bind(this.#socket, address, length) !== 0) throw new Error(`cannot bind ${path}`);
  }

  /** What has come since the last time. */
  heard(): string[] {
    const found: string[] = [];
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const length = Number(libc.recv(this.#socket, buffer, buffer.length, DONT_WAIT));
      if (length < 0) return found;
      found.push(new TextDecoder().decode(buffer.subarray(0, length)));
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#socket);
    if (!this.#path.startsWith("@")) rmSync(this.#path, { force: true });
  }
}
