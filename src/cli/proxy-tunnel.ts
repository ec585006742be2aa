/** Connections by way of a proxy. */
import { connect, type Socket } from "node:net";
import { describeErrno } from "../host/network.ts";
import { after } from "../host/timer.ts";
import { dialHttps } from "../tls/https.ts";
import type { HttpProxy } from "./proxy.ts";

const TIMEOUT_MS = 30_000;
/** Of what a proxy says before the tunnel is open. */
const HEADER_BYTES_MAX = 64 * 1024;

/** What a proxy does not do, or that it cannot be reached. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
}

/** Its own line, not yet asked for anything. @throws ProxyError */
export async function dialProxy({ url, source }: HttpProxy): Promise<Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isTls = url.protocol === "https:";
  const port = Number(url.port || (isTls ? 443 : 80));
  const fail = (error: unknown): never => {
    const where = `the proxy ${url.host} is that of ${source}`;
    throw new ProxyError(
      `proxyconnect tcp: ${describeErrno(error)}\n${where}; NO_PROXY names what is asked directly`,
    );
  };
  if (!isTls) return dial(host, port).catch(fail);
  const trusting = { serverName: undefined, authorities: undefined, skipVerify: false };
  const how = { host, port, pair: undefined, timeoutMs: TIMEOUT_MS, ...trusting };
  return dialHttps(how).catch(fail);
}

function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const cancel = after(TIMEOUT_MS, () => {
      socket.destroy();
      reject(new Error("i/o timeout"));
    });
    socket.once("error", (error) => {
      cancel();
      reject(error);
    });
    socket.once("connect", () => {
      cancel();
      // Until somebody else listens: an error without a listener would end the process.
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

/** A tunnel through it. @param to host:port. @throws ProxyError */
export async function openTunnel(proxy: HttpProxy, to: string): Promise<Socket> {
  const socket = await dialProxy(proxy);
  const lines = [`CONNECT ${to} HTTP/1.1`, `Host: ${to}`];
  const login = proxyLogin(proxy);
  if (login !== undefined) lines.push(`Proxy-Authorization: ${login}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const head = await headOf(socket);
  const [, status = "", reason = ""] = /^HTTP\/1\.\d (\d{3}) ?([^\r\n]*)/.exec(head) ?? [];
  if (status.startsWith("2")) return socket;
  socket.destroy();
  const said = status === "" ? "no HTTP" : `${status} ${reason}`.trim();
  throw new ProxyError(`the proxy ${proxy.url.host} (${proxy.source}) opens no tunnel: ${said}`);
}

/** Basic, out of the proxy's URL; undefined: nobody is named there. */
export function proxyLogin({ url }: HttpProxy): string | undefined {
  if (url.username === "" && url.password === "") return undefined;
  const [user, password] = [url.username, url.password].map(decodeURIComponent);
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}

/** Up to the empty line; what is behind it would be the target's, which waits for us. */
function headOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = "";
    const end = (error: ProxyError | undefined): void => {
      cancel();
      socket.off("data", read);
      socket.off("close", closed);
      if (error === undefined) return resolve(head);
      socket.destroy();
      reject(error);
    };
    const read = (bytes: Uint8Array): void => {
      head += new TextDecoder("latin1").decode(bytes);
      if (head.includes("\r\n\r\n")) end(undefined);
      else if (head.length > HEADER_BYTES_MAX) end(new ProxyError("the proxy says too much"));
    };
    const closed = (): void => end(new ProxyError("the proxy hung up"));
    const late = new ProxyError("the proxy does not answer");
    const cancel = after(TIMEOUT_MS, () => end(late));
    socket.on("data", read);
    socket.on("close", closed);
  });
}
