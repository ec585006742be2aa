/** The production RPC pool as a test's own party: identities from files, and constant load. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/host/clock.ts";
import { dialSocket } from "../../src/host/network.ts";
import type { Address } from "../../src/protocol/ports.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import { RpcDialer, type RpcSecurity } from "../../src/service/rpc/client/dial.ts";
import { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { createRpcCounters } from "../../src/service/rpc/counters.ts";
import { describeCertificate, parseCertificates } from "../../src/tls/certificate.ts";
import { createIdentity, type TlsIdentity } from "../../src/tls/handshake.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { silent } from "../silent.ts";
import type { TestCa } from "./certificates.ts";

/** As the agent loads it, from PEM files. */
export function loadIdentity(caFile: string, certFile: string, keyFile: string): TlsIdentity {
  const [ca, cert, key] = [caFile, certFile, keyFile].map((path) => readFileSync(path, "utf8"));
  if (ca === undefined || cert === undefined || key === undefined) throw new Error("unreadable");
  const [certificate] = parseCertificates(cert).map(describeCertificate);
  const authorities = parseCertificates(ca).map(describeCertificate);
  if (certificate === undefined) throw new Error("no certificate");
  return createIdentity({ ca, cert, key, certificate, authorities }, "tls12", []);
}

export function testPool(security: () => RpcSecurity): RpcPool {
  const counters = createRpcCounters();
  const dialer = new RpcDialer({ security, counters, log: silent, dial: dialSocket });
  return new RpcPool({ dialer, clock: systemClock, prng: createPrng(1), log: silent });
}

/** As a server of the region `global`, by the certificate that `serverTls` made. */
export function serverPool(ca: TestCa): RpcPool {
  return poolAs(ca, "server");
}

/** As a client node, by the one that `clientTls` made. */
export function clientPool(ca: TestCa): RpcPool {
  return poolAs(ca, "client");
}

function poolAs(ca: TestCa, role: string): RpcPool {
  const pair = `${ca.directory}/global-${role}-nomad`;
  const identity = loadIdentity(ca.caFile, `${pair}.pem`, `${pair}-key.pem`);
  return testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: false }));
}

export interface LoadTarget {
  readonly address: Address;
  /** Of the server that is dialled. */
  readonly region: string;
  /** Whose servers shall answer: another one makes the dialled server pass it on. */
  readonly wanted: string;
}

/** Calls to all targets without a pause until it is stopped; what failed, and why. */
export class Load {
  readonly failures: string[] = [];
  calls = 0;
  #stop = false;
  readonly #loops: Promise<void>[];

  constructor(pool: RpcPool, targets: readonly LoadTarget[], callersEach: number) {
    this.#loops = targets.flatMap((target) =>
      Array.from({ length: callersEach }, () => this.#loop(pool, target)),
    );
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#loops);
  }

  async #loop(pool: RpcPool, { address, region, wanted }: LoadTarget): Promise<void> {
    const body = encodeQueryOptions({ Region: wanted, AllowStale: true });
    while (!this.#stop) {
      try {
        await pool.call({ address, region }, "Status.Peers", body, 10_000, true);
        this.calls += 1;
      } catch (error) {
        this.failures.push(`${address.ip.join(".")}: ${String(error)}`);
        await Bun.sleep(50); // Not a flood of failures.
      }
    }
  }
}
