/** Ways out for bytes that nobody answers: datagrams, and a connection that is only written to. */
import { connect } from "node:net";
import { formatIp, splitHostPort } from "./ip.ts";
import { lookupHost } from "./machine.ts";
import { describeErrno } from "./network.ts";
import { openUnixDatagrams } from "./unix-datagram.ts";

interface Outlet {
  /** @returns false: there is no room, or nobody there, and it is gone */
  send(packet: Uint8Array): boolean;
  close(): void;
}

type Lost = (why: string) => void;

const DIAL_TIMEOUT_MS = 5000;
/** Bytes that wait in the process for a reader that is slow. */
const UNSENT_BYTES_MAX = 256 * 1024;

/**
 * By UDP, or to a socket of this machine (`unix://` and its path).
 *
 * @param lost hears that nobody is there any more
 * @throws Error with one sentence
 */
export async function openDatagramOutlet(address: string, lost: Lost): Promise<Outlet> {
  if (address.startsWith("unix://")) return openUnixDatagrams(address.slice("unix://".length));
  const { hostname, port } = await resolve("udp", address);
  const socket = await Bun.udpSocket({
    connect: { hostname, port },
    socket: { error: () => lost(`write udp ${address}: connection refused`) },
  });
  return {
    send(packet) {
      try {
        return socket.send(packet);
      } catch (error) {
        lost(`write udp ${address}: ${describeErrno(error)}`);
        return false;
      }
    },
    close: () => socket.close(),
  };
}

/** By TCP. @throws Error with one sentence */
export async function openStreamOutlet(address: string, lost: Lost): Promise<Outlet> {
  const { hostname, port } = await resolve("tcp", address);
  const socket = connect({ host: hostname, port });
  return new Promise((done, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new Error(`dial tcp ${address}: i/o timeout`)),
      DIAL_TIMEOUT_MS,
    );
    let isOpen = false;
    let why = "the connection was closed";
    socket.on("error", (error) => {
      why = `tcp ${address}: ${describeErrno(error)}`;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      if (isOpen) lost(why);
      else reject(new Error(why));
    });
    // Whoever takes metrics says nothing; what it says nevertheless is not kept.
    socket.resume();
    socket.once("connect", () => {
      clearTimeout(timer);
      isOpen = true;
      done({
        send(packet) {
          if (socket.destroyed || socket.writableLength > UNSENT_BYTES_MAX) return false;
          socket.write(packet);
          return true;
        },
        close: () => {
          isOpen = false;
          socket.destroy();
        },
      });
    });
  });
}

async function resolve(
  network: string,
  address: string,
): Promise<{ readonly hostname: string; readonly port: number }> {
  const { host, port = 0 } = splitHostPort(address);
  // As in Go, no host is this machine.
  const [ip] = await lookupHost(host === "" ? "127.0.0.1" : host);
  if (ip === undefined) throw new Error(`dial ${network} ${address}: no such host`);
  return { hostname: formatIp(ip), port };
}
