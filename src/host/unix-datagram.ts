/**
 * Datagrams to a Unix socket: what syslog and systemd take. The runtime has none, so libc is asked;
 * it is loaded when the first one is opened.
 *
 * @module
 */
import { existsSync } from "node:fs";

const AF_UNIX = 1;
/** Datagrams, not handed on to child processes (SOCK_DGRAM | SOCK_CLOEXEC). */
const SOCKET_TYPE = 2 | 0o2000000;
/** Never wait, and no signal when nobody is there (MSG_DONTWAIT | MSG_NOSIGNAL). */
const SEND_FLAGS = 0x40 | 0x4000;
const PATH_BYTES_MAX = 107;

interface UnixDatagrams {
  /** @returns false when it could not be sent: nobody is there, or has no room */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/**
 * @param path of the socket; with `@` in front it has no file (Linux's abstract names)
 * @throws Error with one sentence
 */
export async function openUnixDatagrams(path: string): Promise<UnixDatagrams> {
  if (process.platform !== "linux") throw new Error("Unix datagrams are sent on Linux only");
  const name = new TextEncoder().encode(path);
  if (name.length > PATH_BYTES_MAX) throw new Error(`${path}: the path is too long for a socket`);
  if (!path.startsWith("@") && !existsSync(path)) throw new Error(`${path}: no such file`);
  const libc = await loadLibc();
  const address = new Uint8Array(2 + name.length + 1);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  if (path.startsWith("@")) address[2] = 0;
  const length = path.startsWith("@") ? address.length - 1 : address.length;
  const connect = (): number | undefined => {
    const socket = libc.socket(AF_UNIX, SOCKET_TYPE, 0);
    if (socket < 0) return undefined;
    if (libc.connect(socket, address, length) === 0) return socket;
    libc.close(socket);
    return undefined;
  };
  let socket = connect();
  if (socket === undefined) throw new Error(`${path}: nobody takes datagrams there`);
  const disconnect = (): void => {
    if (socket !== undefined) libc.close(socket);
    socket = undefined;
  };
  const trySend = (bytes: Uint8Array): boolean => {
    return socket !== undefined && Number(libc.send(socket, bytes, bytes.length, SEND_FLAGS)) >= 0;
  };
  return {
    send(bytes) {
      if (bytes.length === 0 || trySend(bytes)) return true;
      // Whoever listens may have been started anew.
      disconnect();
      socket = connect();
      return trySend(bytes);
    },
    close: disconnect,
  };
}

async function loadLibc() {
  const { openLibc } = await import("./libc.ts");
  return openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
}
