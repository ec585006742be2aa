/**
 * ACLs at a server: who a token belongs to, the methods that change them, and what a leader does
 * besides: it deletes what has expired, and copies what the authoritative region has.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { systemClock } from "../host/clock.ts";
import { readFileIfThere } from "../host/disk.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import type { Prng } from "../protocol/ports.ts";
import { expiredAccessors } from "../service/acl/expired.ts";
import { LateTokens } from "../service/acl/late-tokens.ts";
import { AclReplication } from "../service/acl/replication.ts";
import { AclResolver } from "../service/acl/resolver.ts";
import { AclPolicyMethods } from "../service/methods/acl-policy-methods.ts";
import { AclTokenMethods } from "../service/methods/acl-token-methods.ts";
import { withAcls } from "../service/methods/acl-tools.ts";
import { MethodGuard } from "../service/methods/method-guard.ts";
import type { Method } from "../service/methods/methods.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import { tokenDeleteRequest } from "../state/acl/acl.ts";
import { AclMessage } from "../state/acl/acl-changes.ts";
import { command } from "../state/command.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { structOf, timeOf } from "../wire/codec.ts";

/** Nomad's: how often it is looked for tokens that are over. */
const COLLECT_MS = 300_000;
const RESET_FILE = "acl-bootstrap-reset";

interface AclRoleInit {
  readonly config: Config;
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats" | "role">;
  readonly machine: StateMachine;
  readonly prng: Prng;
  readonly log: Log;
  /** The node whose identity a token is; undefined: nobody's. */
  readonly nodeOf: (identity: string) => string | undefined;
  /** A call as if it had come to our port. @throws Error */
  readonly call: (method: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
}

export class AclRole {
  readonly #init: AclRoleInit;
  readonly resolver: AclResolver;
  readonly guard: MethodGuard;
  /** Whose token it is, for requests that come to this server first. */
  readonly access: LateTokens;
  readonly #replication: AclReplication | undefined;
  #cancel: (() => void) | undefined;

  constructor(init: AclRoleInit) {
    this.#init = init;
    const { config, machine, consensus, call, log, nodeOf } = init;
    const { enabled, replicationToken: token } = config.acl;
    this.resolver = new AclResolver({ enabled, machine, clock: systemClock, nodeOf });
    this.guard = new MethodGuard(this.resolver);
    this.access = new LateTokens({
      ...{ resolver: this.resolver, region: config.region, machine, call, clock: systemClock },
      isLeader: () => consensus.role === "leader",
    });
    const region = this.#authoritativeRegion;
    this.#replication =
      enabled && region !== config.region
        ? new AclReplication({
            ...{ region, token, machine, ask: call, clock: systemClock, log },
            apply: (data) => consensus.apply(data),
          })
        : undefined;
  }

  /** Where what is copied is changed; undefined: nothing is. */
  get authoritativeRegion(): string | undefined {
    return this.resolver.enabled ? this.#authoritativeRegion : undefined;
  }

  get #authoritativeRegion(): string {
    const { server, region } = this.#init.config;
    return server.authoritativeRegion || region;
  }

  methods(): ReadonlyMap<string, Method> {
    const { config, consensus, machine, prng, log } = this.#init;
    const { tokenMinExpirationMs: minMs, tokenMaxExpirationMs: maxMs } = config.acl;
    const init = {
      region: config.region,
      authoritativeRegion: this.#authoritativeRegion,
      limits: { minMs, maxMs },
      resolver: this.resolver,
      ...{ consensus, machine, prng, log, clock: systemClock },
      resetIndex: () => this.#resetIndex(),
    };
    const tokens = new AclTokenMethods(init).methods();
    const others = new AclPolicyMethods(init).methods();
    return withAcls(init, new Map([...tokens, ...others]));
  }

  /** We lead, and have applied all that was committed before. */
  lead(): void {
    this.stop();
    if (!this.resolver.enabled) return;
    this.#replication?.start();
    this.#schedule();
  }

  stop(): void {
    this.#replication?.stop();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    this.#cancel = systemClock.schedule(systemClock.now() + COLLECT_MS, () => {
      void this.#collect();
      this.#schedule();
    });
  }

  async #collect(): Promise<void> {
    const { config, consensus, machine, log } = this.#init;
    const end = timeOf(systemClock.wallMs() - config.server.aclTokenGcMs);
    const isAuthoritative = this.#authoritativeRegion === config.region;
    const AccessorIDs = expiredAccessors(machine.acl.tokens(), end, isAuthoritative);
    if (AccessorIDs.length === 0 || consensus.role !== "leader") return;
    const request = structOf(tokenDeleteRequest, { AccessorIDs });
    try {
      await consensus.apply(command(AclMessage.tokenDelete, tokenDeleteRequest, request));
      log.info("expired ACL tokens are deleted", { tokens: AccessorIDs.length });
    } catch (error) {
      log.warn("cannot delete expired ACL tokens", { error: errorText(error) });
    }
  }

  /** Whoever can write into data_dir may open the bootstrap again, once. */
  #resetIndex(): bigint {
    const { config, log } = this.#init;
    if (config.dataDir === "") return 0n;
    const directory = config.server.dataDir ?? join(config.dataDir, "server");
    const path = join(directory, RESET_FILE);
    const bytes = readFileIfThere(path);
    if (bytes === undefined) return 0n;
    const index = /^\s*(\d{1,19})\s*$/.exec(new TextDecoder().decode(bytes))?.[1];
    if (index === undefined) log.error("the file has no index in it", { path });
    else log.warn("an operator has opened the ACL bootstrap again", { path, reset_index: index });
    return BigInt(index ?? 0);
  }
}
