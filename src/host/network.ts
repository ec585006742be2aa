/** UDP by Bun, TCP by node:net, behind the ports of host.ts. */
import { connect, createServer, type Socket } from "node:net";
import type { Address } from "../protocol/ports.ts";
import { descriptors } from "./descriptors.ts";
import type {
  ByteStream,
  DatagramHandler,
  DatagramSocket,
  Network,
  StreamHandler,
  StreamServer,
} from "./host.ts";
import { Inbox } from "./inbox.ts";
import { formatAddress, formatIp, parseIp } from "./ip.ts";

export const systemNetwork: Network = {
  datagrams: openDatagrams,
  listen: listenSockets,
  dial: dialSocket,
};

/** A machine that is gone without a word is found out, also where nobody waits for anything. */
const KEEP_ALIVE_MS = 30_000;
const ACCEPTING = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
};

/** Bytes that may wait for a listener before the stream is paused. */
const EARLY_BYTES_MAX = 256 * 1024;
/**
 * "Connection refused", when a datagram goes out, speaks of an earlier one: the kernel hands what
 * ICMP said to whoever calls next, and sends nothing. Without another try a member that has just
 * died would cost those who live what is sent to them after it.
 */
const SEND_ATTEMPTS = 3;
const NO_ADDRESS = new Uint8Array(4);

async function openDatagrams(local: Address, handler: DatagramHandler): Promise<DatagramSocket> {
  // The kernel names few senders again and again; parsing their text each time would show.
  const known = new Map<string, Uint8Array>();
  const socket = await Bun.udpSocket({
    hostname: formatIp(local.ip),
    port: local.port,
    binaryType: "uint8array",
    socket: {
      data(_socket, bytes, port, host) {
        handler.packet(bytes, { ip: remembered(known, host), port });
      },
      // An ICMP answer (nobody listens there) comes here, and without an error object.
      error(...details: readonly unknown[]) {
        handler.problem(details.find((one) => one instanceof Error) ?? new Error("unreachable"));
      },
    },
  });
  return {
    send(bytes, to) {
      const ip = formatIp(to.ip);
      for (let attempt = 1; attempt <= SEND_ATTEMPTS; attempt++) {
        try {
          socket.send(bytes, to.port, ip);
          return;
        } catch (error) {
          handler.problem(error instanceof Error ? error : new Error(String(error)));
        }
      }
    },
    close: () => socket.close(),
  };
}

function remembered(known: Map<string, Uint8Array>, host: string): Uint8Array {
  const found = known.get(host);
  if (found !== undefined) return found;
  const ip = parseIp(host) ?? NO_ADDRESS;
  if (known.size > 4096) known.clear(); // A flood of forged senders must not grow it.
  known.set(host, ip);
  return ip;
}

/** As the port's `listen`, for services that put TLS on the sockets. */
export function listenSockets(
  local: Address,
  accept: (stream: SocketStream) => void,
): Promise<StreamServer> {
  const server = createServer(ACCEPTING, (socket) => {
    const stream = new SocketStream(socket);
    if (!descriptors.take(stream.remote.ip)) return stream.destroy();
    socket.once("close", () => descriptors.release());
    accept(stream);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: formatIp(local.ip), port: local.port }, () => {
      server.off("error", reject);
      // accept() may fail; the next one will do.
      server.on("error", () => undefined);
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : local.port;
      resolve({
        local: { ip: local.ip, port },
        close: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

/** As the port's `dial`, for services that put TLS on the socket. */
export function dialSocket(to: Address, timeoutMs: number): Promise<SocketStream> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: formatIp(to.ip), port: to.port, allowHalfOpen: true });
    socket.setNoDelay(true);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`dial tcp ${formatAddress(to)}: i/o timeout`));
    }, timeoutMs);
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(new Error(`dial tcp ${formatAddress(to)}: ${describeErrno(error)}`));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(new SocketStream(socket));
    });
  });
}

/** A node socket, TCP or TLS, as a ByteStream. */
export class SocketStream implements ByteStream {
  readonly socket: Socket;
  readonly remote: Address;
  readonly #inbox = new Inbox();
  #error: Error | undefined;
  readonly #onData = (chunk: Uint8Array): void => {
    this.#inbox.push(chunk);
    if (this.#inbox.bytes > EARLY_BYTES_MAX) this.socket.pause();
  };
  readonly #onEnd = (): void => this.#inbox.peerEnded();
  readonly #onError = (error: Error): void => {
    this.#error = error;
  };
  readonly #onDrain = (): void => this.#inbox.drained();

  constructor(socket: Socket, remote?: Address) {
    this.socket = socket;
    this.remote = remote ?? {
      ip: parseIp(socket.remoteAddress ?? "") ?? NO_ADDRESS,
      port: socket.remotePort ?? 0,
    };
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("drain", this.#onDrain);
    socket.on("close", () => this.#inbox.closed(this.#error));
  }

  write(bytes: Uint8Array): boolean {
    return this.socket.write(bytes);
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  listen(handler: StreamHandler): void {
    this.#inbox.listen(handler);
    this.socket.resume();
  }

  pause(): void {
    this.#inbox.pause();
    this.socket.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.socket.resume();
  }

  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout"> {
    const first = this.#inbox.takeFirst(timeoutMs);
    this.socket.resume();
    return first;
  }

  /** Undoes a `takeFirst`. */
  putBack(byte: number): void {
    this.#inbox.putBack(Uint8Array.of(byte));
  }

  /** Hands the socket to somebody else, unread bytes and all; this stream is over. */
  detach(): Socket {
    const { socket } = this;
    socket.pause();
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("drain", this.#onDrain);
    for (const chunk of [...this.#inbox.takeAll()].reverse()) socket.unshift(chunk);
    return socket;
  }
}

/** Go's words for the usual errors: what operators have searched for before. */
export function describeErrno(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ("code" in error ? error.code : undefined) {
    case "ECONNREFUSED":
      return "connect: connection refused";
    case "ECONNRESET":
      return "read: connection reset by peer";
    case "EHOSTUNREACH":
      return "connect: no route to host";
    case "ENETUNREACH":
      return "connect: network is unreachable";
    case "ETIMEDOUT":
      return "i/o timeout";
    case "EADDRINUSE":
      return "bind: address already in use";
    case "EADDRNOTAVAIL":
      return "bind: cannot assign requested address";
    case "EACCES":
      return "permission denied";
    case "EMFILE":
      return "too many open files: raise the limit (LimitNOFILE= in systemd, ulimit -n)";
    case "ENOENT":
      return "no such file or directory";
    case "ENOSPC":
      return "no space left on device";
    case "EISDIR":
      return "is a directory";
    case "ENOTDIR":
      return "not a directory";
    case "ELOOP":
      return "too many levels of symbolic links";
    default:
      return error.message;
  }
}
