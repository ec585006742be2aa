/** Servers of a region that agree on keys: one log for all, a keystore each, clocks by hand. */
import "../../../src/secret/envelope.ts";
import { systemEntropy } from "../../../src/host/entropy.ts";
import { IdentityKeys } from "../../../src/service/identity/identity-keys.ts";
import { KeyDuties } from "../../../src/service/identity/key-duties.ts";
import { KeyFinder } from "../../../src/service/identity/key-finder.ts";
import { MemoryKeystore } from "../../../src/service/identity/keystore.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { silent } from "../../silent.ts";
import { ManualClock } from "../manual-clock.ts";
import { keptLog } from "../methods/node-server.ts";

export const TIMES = {
  rotationMs: 720 * 3_600_000,
  intervalMs: 600_000,
  graceMs: 3_600_000,
  lifetimeMs: 1_800_000,
};

export class Region {
  readonly clock = new ManualClock();
  readonly log: Uint8Array[] = [];
  readonly servers: Server[] = [];
  /** Why nothing can be written. */
  broken = "";

  server(): Server {
    const server = new Server(this);
    this.servers.push(server);
    return server;
  }

  /** An entry of the log, on every server. */
  apply = async (data: Uint8Array) => {
    if (this.broken !== "") throw new Error(this.broken);
    this.log.push(data);
    const index = this.log.length + 9;
    const outcomes = this.servers.map((one) => one.machine.apply(index, data));
    return { index, outcome: outcomes[0] ?? ("skipped" as const) };
  };
}

class Server {
  readonly machine = new StateMachine();
  readonly keystore = new MemoryKeystore();
  readonly keys: IdentityKeys;
  readonly finder: KeyFinder;
  readonly duties: KeyDuties;
  /** It answers other servers. */
  answers = true;
  /** It takes questions, and answers none. */
  stands = false;
  /** What it has logged of its duties. */
  readonly lines: string[];
  asked = 0;

  constructor(region: Region, times: typeof TIMES = TIMES) {
    const { machine } = this;
    const { clock, apply } = region;
    const { log, lines } = keptLog();
    this.lines = lines;
    for (const [i, data] of region.log.entries()) machine.apply(i + 10, data);
    this.keys = new IdentityKeys({
      ...{ region: "global", machine, keystore: this.keystore, entropy: systemEntropy },
      nowMs: () => clock.wallMs(),
    });
    const ask = (id: string) =>
      region.servers
        .filter((one) => one !== this)
        .map(async (one) => {
          one.asked += 1;
          if (!one.answers) throw new Error("connection refused");
          if (one.stands) return new Promise<never>(() => undefined);
          return one.keys.sealingKey(id);
        });
    this.finder = new KeyFinder({ machine, keys: this.keys, ask, clock, log: silent });
    this.duties = new KeyDuties({
      ...{ machine, keys: this.keys, apply, times, clock, log },
      find: (id) => this.finder.find(id),
    });
  }

  /** Of the keys, the oldest first. */
  get states(): readonly string[] {
    return this.machine.signingKeys.all().map((one) => one.State);
  }

  get active(): string {
    return this.machine.signingKeys.active?.KeyID ?? "";
  }
}

/** Waits for what loads code, which no clock by hand drives. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error("it does not come true");
    await new Promise((done) => setImmediate(done));
  }
}
