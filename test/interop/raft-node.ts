/** One of our Raft servers in the test's process: the production parts, on a port of its own. */
import { createHash } from "node:crypto";
import { systemClock } from "../../src/host/clock.ts";
import type { ByteStream, StreamServer } from "../../src/host/host.ts";
import { dialSocket, listenSockets } from "../../src/host/network.ts";
import { RaftStore } from "../../src/host/raft-store.ts";
import type { Address } from "../../src/protocol/ports.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import { RAFT } from "../../src/protocol/raft/config.ts";
import type { Sender } from "../../src/protocol/raft/message.ts";
import { Consensus } from "../../src/service/raft/consensus.ts";
import { createDoor } from "../../src/service/raft/door.ts";
import { serveRaft } from "../../src/service/raft/serve.ts";
import { RaftTransport } from "../../src/service/raft/transport.ts";
import { RefusalLog } from "../../src/service/refusals.ts";
import { RpcDialer } from "../../src/service/rpc/client/dial.ts";
import { createRpcCounters } from "../../src/service/rpc/counters.ts";
import { acceptTls, type TlsIdentity } from "../../src/tls/handshake.ts";
import { silent } from "../silent.ts";

/** Counts commands and hashes them, as the Go peer's does. */
export class CountingMachine {
  index = 0;
  count = 0;
  hash = "";

  advance(index: number): void {
    this.index = index;
  }

  apply(index: number, data: Uint8Array): "applied" {
    this.index = index;
    this.count += 1;
    this.hash = createHash("sha256").update(this.hash).update(data).digest("hex");
    return "applied";
  }

  snapshot(): Uint8Array {
    const { count, hash } = this;
    return new TextEncoder().encode(JSON.stringify({ count, hash }));
  }

  canRestore(): boolean {
    return true;
  }

  restore(data: Uint8Array, index: number): boolean {
    const { count, hash } = JSON.parse(new TextDecoder().decode(data));
    Object.assign(this, { count, hash, index });
    return true;
  }
}

export interface RaftNodeOptions {
  readonly self: Sender;
  readonly bind: Address;
  readonly identity: TlsIdentity;
  /** undefined: in memory. */
  readonly directory?: string;
  readonly snapshotThreshold?: number;
  readonly trailingEntries?: number;
  /** As in production: only with servers of its kind. */
  readonly greets?: boolean;
}

export class RaftNode {
  readonly machine = new CountingMachine();
  readonly consensus: Consensus;
  readonly self: Sender;
  #server: StreamServer | undefined;
  /** Connections that called without a greeting, and that we dialled. */
  turnedAway = 0;
  dialled = 0;
  #cut = false;
  readonly #streams = new Set<ByteStream>();
  readonly #options: RaftNodeOptions;

  private constructor(options: RaftNodeOptions) {
    this.#options = options;
    const { self, identity, directory, snapshotThreshold = 1e9, trailingEntries } = options;
    this.self = self;
    const dialer = new RpcDialer({
      security: () => ({ identity, verifyServerHostname: true, upgradeMode: false }),
      counters: createRpcCounters(),
      log: silent,
      dial: dialSocket,
    });
    this.consensus = new Consensus({
      self,
      config: { ...RAFT, ...(trailingEntries === undefined ? {} : { trailingEntries }) },
      store: new RaftStore(directory),
      transport: new RaftTransport({
        self,
        region: "global",
        dialer: {
          connect: async (...how) => {
            if (this.#cut) throw new Error("no route to host");
            this.dialled += 1;
            const connected = await dialer.connect(...how);
            this.#keep(connected.stream);
            return connected;
          },
        },
        clock: systemClock,
        prng: createPrng(1),
        log: silent,
        malformed: () => undefined,
        unsafeWithoutGreeting: options.greets !== true,
        refused: () => undefined,
      }),
      machine: this.machine,
      clock: systemClock,
      prng: createPrng(Math.floor(Math.random() * 1e9)),
      log: silent,
      snapshotThreshold,
      onRole: () => undefined,
      onLeader: () => undefined,
    });
  }

  static async start(options: RaftNodeOptions): Promise<RaftNode> {
    const node = new RaftNode(options);
    await node.#listen();
    node.consensus.start();
    return node;
  }

  async #listen(): Promise<void> {
    const { bind, identity, self, greets = false } = this.#options;
    const strict = createDoor({
      ...{ self, region: "global", unsafeWithoutGreeting: !greets },
      servers: () => this.consensus.servers,
      refusals: new RefusalLog(systemClock, silent),
      count: () => undefined,
    });
    const notGreeted = (remote: Address): string => {
      this.turnedAway += 1;
      return strict.notGreeted(remote);
    };
    const door = { ...strict, notGreeted };
    this.#server = await listenSockets(bind, async (plain) => {
      if (this.#cut) return plain.destroy();
      if ((await plain.takeFirst(5000)) !== 4) return plain.destroy();
      try {
        const how = { requireClient: true, timeoutMs: 5000 };
        const { stream } = await acceptTls(plain, identity, how);
        if ((await stream.takeFirst(5000)) !== 2) return stream.destroy();
        this.#keep(stream);
        const handle = this.consensus.receive.bind(this.consensus);
        serveRaft(stream, { self, door, handle, malformed: () => stream.destroy() });
      } catch {
        plain.destroy();
      }
    });
  }

  /** Nobody reaches it, and it reaches nobody, until it is healed. */
  partition(): void {
    this.#cut = true;
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  heal(): void {
    this.#cut = false;
  }

  #keep(stream: ByteStream): void {
    this.#streams.add(stream);
    if (this.#cut) stream.destroy();
  }

  /** Without a word to anybody. */
  kill(): void {
    this.consensus.stop();
    void this.#server?.close();
  }
}
