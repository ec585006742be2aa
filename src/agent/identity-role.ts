/**
 * Who client nodes are, in this server: the keys that sign it, what opens them, and who may come
 * that nobody knows yet.
 *
 * @module
 */
import { join } from "node:path";
import type { IdentityView } from "../api/context.ts";
import type { Config } from "../config/config.ts";
import { systemClock } from "../host/clock.ts";
import { systemEntropy } from "../host/entropy.ts";
import { parseAddress } from "../host/ip.ts";
import type { LogSink } from "../host/log.ts";
import type { Prng } from "../protocol/ports.ts";
import { IdentityKeys } from "../service/identity/identity-keys.ts";
import { KeyDuties, sinceMs } from "../service/identity/key-duties.ts";
import { KeyFinder } from "../service/identity/key-finder.ts";
import { introductionMethods } from "../service/methods/introduction-method.ts";
import { KeyringMethods } from "../service/methods/keyring-methods.ts";
import type { Method } from "../service/methods/methods.ts";
import { NodeAuth } from "../service/methods/node-auth.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import type { RpcPool } from "../service/rpc/client/pool.ts";
import type { RpcCounters } from "../service/rpc/counters.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { decodeValue } from "../wire/codec.ts";
import { encodeSealingKeyRequest, GROUP_SEALING_KEY, sealingKeyReply } from "../wire/rpc-group.ts";
import { keystoreIn } from "./keystore-file.ts";
import { withinMs } from "./presence.ts";

/** For another server to answer. */
const ASK_MS = 2000;

interface IdentityRoleInit {
  readonly config: Config;
  readonly nodeId: string;
  readonly machine: StateMachine;
  readonly consensus: Consensus;
  readonly pool: Pick<RpcPool, "call" | "forgive">;
  readonly counters: RpcCounters;
  readonly prng: Prng;
  readonly sink: LogSink;
}

export class IdentityRole {
  readonly #init: IdentityRoleInit;
  readonly #keys: IdentityKeys;
  readonly #finder: KeyFinder;
  readonly #duties: KeyDuties;
  readonly auth: NodeAuth;

  constructor(init: IdentityRoleInit) {
    this.#init = init;
    const { config, machine, sink, consensus, counters } = init;
    const { region, server } = config;
    const clock = systemClock;
    const log = sink.logger("nomad.keyring");
    const keys = new IdentityKeys({
      ...{ region, machine, keystore: keystoreIn(directoryOf(config)), entropy: systemEntropy },
      nowMs: () => clock.wallMs(),
    });
    this.#keys = keys;
    const ask = (id: string) => this.#ask(id);
    this.#finder = new KeyFinder({ machine, keys, ask, clock, log });
    this.#duties = new KeyDuties({
      ...{ machine, keys, clock, log },
      find: (id) => this.#finder.find(id),
      apply: (data) => consensus.apply(data),
      times: { ...server.signingKeys, lifetimeMs: server.introduction.maxLifetimeMs },
    });
    this.auth = new NodeAuth({
      ...{ region, machine, keys, clock, log: sink.logger("nomad.client") },
      ...{ introduction: server.introduction, uninvited: counters.uninvited },
    });
  }

  start(): void {
    this.#finder.start();
  }

  stop(): void {
    this.#duties.stop();
    this.#finder.stop();
  }

  /** We lead, and the state of all terms before ours is applied here. */
  lead(): void {
    this.#duties.lead();
  }

  follow(): void {
    this.#duties.stop();
  }

  /** Another server may be there: perhaps it knows what we do not. */
  wake(): void {
    this.#finder.wake();
  }

  methods(): ReadonlyMap<string, Method> {
    const { consensus, machine, prng, config } = this.#init;
    const keyring = new KeyringMethods({
      ...{ consensus, machine, prng, clock: systemClock },
      ...{ keys: this.#keys, duties: this.#duties },
      rotationMs: config.server.signingKeys.rotationMs,
    });
    return new Map([...keyring.methods(), ...introductionMethods(this.auth)]);
  }

  view(): IdentityView {
    const { machine, config } = this.#init;
    const { active } = machine.signingKeys;
    const all = machine.signingKeys.all();
    return {
      keyId: active?.KeyID ?? "",
      opens: () => active !== undefined && this.#keys.has(active.KeyID),
      replacedAtMs: active && sinceMs(active) + config.server.signingKeys.rotationMs,
      keys: all.length,
      nodes: () => machine.nodes.all().filter((one) => one.IdentitySigningKeyID !== "").length,
      enforcement: config.server.introduction.enforcement,
    };
  }

  /** As Raft has them; over TLS each proves that it is a server before it is believed. */
  #ask(id: string): readonly Promise<Uint8Array | undefined>[] {
    const { consensus, pool, config, nodeId } = this.#init;
    const { region } = config;
    const body = encodeSealingKeyRequest(region, id);
    return consensus.servers.flatMap((one) => {
      const address = parseAddress(one.address);
      if (one.id === nodeId || address === undefined) return [];
      pool.forgive(address);
      const asked = pool.call({ address, region }, GROUP_SEALING_KEY, body, ASK_MS, true);
      return [
        withinMs(systemClock, asked, ASK_MS).then(
          (bytes) => bytes && (decodeValue(sealingKeyReply, bytes)?.Key ?? undefined),
          () => undefined,
        ),
      ];
    });
  }
}

function directoryOf({ dataDir, server }: Config): string | undefined {
  if (dataDir === "") return undefined;
  return join(server.dataDir ?? join(dataDir, "server"), "keystore");
}
