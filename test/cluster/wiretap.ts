/**
 * A tap on the wire: agents advertise the tap's address, so that everything between them passes
 * through it, UDP and TCP, and is kept. It forwards to the address where the agent listens.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { createPrng } from "../../src/protocol/prng.ts";
import { decompress } from "../../src/wire/compress.ts";

/** `{Algo: 0, Buf: ` as memberlist writes it. */
const COMPRESSED = Buffer.from("82a4416c676f00a3427566", "hex");

export class Wiretap implements AsyncDisposable {
  readonly #chunks: Uint8Array[] = [];
  readonly #datagrams: { close(): void }[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Of datagrams, 0 to 1: what the tap swallows instead of passing it on. */
  loss = 0;
  /** Keep what passes, for `text`. */
  keep = true;
  readonly #chance = createPrng(1);
  swallowed = 0;
  udpBytes = 0;
  tcpBytes = 0;

  /** Taps what is sent to `advertised` (gossip and RPC ports) and passes it on to `real`. */
  async tap(advertised: string, real: string): Promise<void> {
    const socket = await Bun.udpSocket({
      hostname: advertised,
      port: 4648,
      socket: {
        data: (own, bytes) => {
          this.udpBytes += bytes.length;
          if (this.keep) this.#chunks.push(new Uint8Array(bytes));
          if (this.#chance.next() < this.loss) {
            this.swallowed += 1;
            return;
          }
          own.send(bytes, 4648, real);
        },
        error: () => undefined,
      },
    });
    this.#datagrams.push(socket);
    for (const port of [4647, 4648]) await this.#tcp(advertised, real, port);
  }

  /**
   * Everything that passed, as one Latin-1 text (each byte is one character), and behind it what
   * the compressed messages in it open to: LZW hides words from a plain search, but from nobody.
   */
  text(): string {
    const raw = Buffer.concat(this.#chunks);
    const parts = [raw];
    for (let at = raw.indexOf(COMPRESSED); at >= 0; at = raw.indexOf(COMPRESSED, at + 1)) {
      const opened = decompress(raw.subarray(at), 1 << 20);
      if (typeof opened === "object") parts.push(Buffer.from(opened));
    }
    return Buffer.concat(parts).toString("latin1");
  }

  #tcp(advertised: string, real: string, port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (from) => {
      const to = connect({ host: real, port, allowHalfOpen: true });
      this.#pipe(from, to);
      this.#pipe(to, from);
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, advertised, () => resolve());
    });
  }

  #pipe(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Uint8Array) => {
      this.tcpBytes += bytes.length;
      if (this.keep) this.#chunks.push(new Uint8Array(bytes));
      to.write(bytes);
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const datagram of this.#datagrams) datagram.close();
    await Promise.all(this.#servers.map((server) => new Promise((done) => server.close(done))));
  }
}
