/**
 * What a client node answers when servers ask it over the connection that it keeps open
 * (wire/rpc-and-raft.md §6.5). There are no jobs: whatever is about them is not there.
 *
 * @module
 */
import { type Disk, fingerprint } from "../../host/fingerprint.ts";
import type { Clock } from "../../host/host.ts";
import { type CoreMeter, memoryUsage, mountedDisks, uptimeSeconds } from "../../host/usage.ts";
import { encodeValue, int64, structOf, text } from "../../wire/codec.ts";
import {
  clientStatsReply,
  type HostStats,
  nodeMetaReply,
  nodeMetaRequest,
} from "../../wire/rpc-client.ts";
import { nodeIdentityReply } from "../../wire/rpc-keyring.ts";
import { encodeEmpty } from "../../wire/rpc-status.ts";
import { readRequest } from "../methods/method-tools.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import type { HeldIdentity } from "./held-identity.ts";
import { hostData } from "./host-data.ts";
import type { NodeMeta } from "./node-meta.ts";

/** Requests are options, an id, metadata. */
const CLIENT_REQUEST_BYTES_MAX = 128 * 1024;
/** Long enough for the kernel to have counted something. */
const MEASURE_MS = 200;

interface ClientMethodsInit {
  readonly id: string;
  /** Of the file system that its data is on. */
  readonly directory: string;
  readonly meta: NodeMeta;
  readonly identity: HeldIdentity;
  /** Its metadata has changed. */
  readonly changed: () => void;
  readonly meter: CoreMeter;
  /** enable_debug: the only leave there is to look into the machine. */
  readonly debug: boolean;
  readonly clock: Clock;
}

type Answer = Uint8Array | Promise<Uint8Array>;

export class ClientMethods {
  readonly #init: ClientMethodsInit;
  readonly #methods: ReadonlyMap<string, (body: Uint8Array) => Answer>;

  constructor(init: ClientMethodsInit) {
    this.#init = init;
    this.#methods = new Map<string, (body: Uint8Array) => Answer>([
      ["Agent.Host", () => this.#host()],
      ["ClientStats.Stats", () => this.#stats()],
      ["NodeIdentity.Get", () => this.#claims()],
      ["NodeIdentity.Renew", () => this.#renew()],
      ["NodeMeta.Apply", (body) => this.#applyMeta(body)],
      ["NodeMeta.Read", () => encodeValue(nodeMetaReply, init.meta.read())],
    ]);
  }

  bodyBytesMax(): number {
    return CLIENT_REQUEST_BYTES_MAX;
  }

  /** @throws RpcMethodError, here or later */
  call(name: string, body: Uint8Array): Answer {
    const run = this.#methods.get(name);
    if (run !== undefined) return run(body);
    const service = name.slice(0, name.lastIndexOf("."));
    const known = [...this.#methods.keys()].some((one) => one.startsWith(`${service}.`));
    throw new RpcMethodError(`rpc: can't find ${known ? "method" : "service"} ${name}`, true);
  }

  #applyMeta(body: Uint8Array): Uint8Array {
    const { meta, changed } = this.#init;
    meta.apply(readRequest(nodeMetaRequest, body).Meta ?? new Map());
    changed();
    return encodeValue(nodeMetaReply, meta.read());
  }

  /** What the identity says; by the identity itself whoever has it is this node. */
  #claims(): Uint8Array {
    const { claims } = this.#init.identity;
    if (claims === undefined) {
      throw new RpcMethodError("the node has no identity: its secret counts", false);
    }
    const shown = Object.entries(claims).flatMap(([name, value]): [string, Uint8Array][] => {
      if (typeof value === "string") return [[name, encodeValue(text, value)]];
      return Number.isSafeInteger(value) ? [[name, encodeValue(int64, BigInt(Number(value)))]] : [];
    });
    return encodeValue(nodeIdentityReply, { Claims: new Map(shown) });
  }

  /** At the next heartbeat. */
  #renew(): Uint8Array {
    const { identity } = this.#init;
    if (identity.claims === undefined) {
      throw new RpcMethodError("the node has no identity that could be renewed", false);
    }
    identity.renew();
    return encodeEmpty();
  }

  async #stats(): Promise<Uint8Array> {
    const { clock, directory, meter } = this.#init;
    let cores = meter.usage();
    if (cores.length === 0) {
      await new Promise<void>((done) => void clock.schedule(clock.now() + MEASURE_MS, done));
      cores = meter.usage();
    }
    const found = fingerprint(directory);
    const memory = memoryUsage();
    const CPU = cores.map(({ name, user, system, idle }, i) => {
      const TotalPercent = Math.max(0, 100 - idle);
      const TotalTicks = (TotalPercent / 100) * (found.cores[i]?.mhz ?? 0);
      return { CPU: name, Idle: idle, System: system, User: user, TotalPercent, TotalTicks };
    });
    const HostStats: HostStats = {
      AllocDirStats: { ...statsOf(found.disk), Device: "", Mountpoint: "" },
      CPU,
      CPUTicksConsumed: CPU.reduce((sum, { TotalTicks }) => sum + TotalTicks, 0),
      DeviceStats: null,
      DiskStats: mountedDisks().map(statsOf),
      Memory: {
        Available: BigInt(memory.availableBytes),
        Free: BigInt(memory.freeBytes),
        Total: BigInt(memory.totalBytes),
        Used: BigInt(memory.usedBytes),
      },
      Timestamp: BigInt(clock.wallMs()) * 1_000_000n,
      Uptime: BigInt(uptimeSeconds()),
    };
    return encodeValue(clientStatsReply, structOf(clientStatsReply, { HostStats }));
  }

  #host(): Uint8Array {
    const { id, directory, debug } = this.#init;
    if (!debug) throw new RpcMethodError("Permission denied", false);
    return hostData(id, directory);
  }
}

function statsOf(disk: Disk): NonNullable<HostStats["AllocDirStats"]> {
  const { volume, mountPoint, totalBytes, freeBytes, inodesUsedPercent } = disk;
  const used = Math.max(0, totalBytes - freeBytes);
  return {
    Available: BigInt(freeBytes),
    Device: volume,
    InodesUsedPercent: inodesUsedPercent,
    Mountpoint: mountPoint,
    Size: BigInt(totalBytes),
    Used: BigInt(used),
    UsedPercent: totalBytes === 0 ? 0 : (100 * used) / totalBytes,
  };
}
