/**
 * Finding the others: start_join once, retry_join until it works.
 *
 * @module
 */
import { isCloudJoin, NO_CLOUD_JOIN } from "../config/parse-client.ts";
import { DEFAULT_PORTS } from "../config/ports.ts";
import { redactText } from "../config/redact.ts";
import type { Clock, Log } from "../host/host.ts";
import { splitHostPort } from "../host/ip.ts";
import type { Gossip, JoinTarget } from "../service/gossip/gossip.ts";

type JoinPhase = "none" | "joining" | "joined" | "failing" | "gave-up";

interface JoinState {
  readonly phase: JoinPhase;
  readonly targets: readonly string[];
  readonly attempts: number;
  /** Peers that answered in the last attempt. */
  readonly joined: number;
  readonly lastErrors: readonly string[];
}

interface JoinerInit {
  readonly gossip: Gossip;
  readonly lookup: (host: string) => Promise<readonly Uint8Array[]>;
  readonly clock: Clock;
  readonly log: Log;
}

interface JoinOutcome {
  readonly joined: number;
  readonly errors: readonly string[];
}

export class Joiner {
  readonly #init: JoinerInit;
  #state: JoinState = { phase: "none", targets: [], attempts: 0, joined: 0, lastErrors: [] };
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(init: JoinerInit) {
    this.#init = init;
  }

  get state(): JoinState {
    return this.#state;
  }

  /** Every address once. */
  async join(targets: readonly string[]): Promise<JoinOutcome> {
    const errors: string[] = [];
    const found: JoinTarget[] = [];
    for (const target of targets) {
      const addresses = await this.#resolve(target);
      if (typeof addresses !== "string") found.push(...addresses);
      else errors.push(`failed to join ${redactText(target)}: ${addresses}`);
    }
    const result = await this.#init.gossip.join(found, true);
    return { joined: result.joined, errors: [...errors, ...result.errors] };
  }

  /** As `join`, remembered for the status; the caller decides what a failure means. */
  async joinAtStart(targets: readonly string[]): Promise<JoinOutcome> {
    const outcome = await this.join(targets);
    const phase = outcome.joined > 0 ? "joined" : "failing";
    this.#note(phase, targets, outcome);
    return outcome;
  }

  /**
   * In the background, until one address answered.
   *
   * @param attemptsMax 0: for ever
   * @param gaveUp called when the attempts are used up
   */
  retry(
    targets: readonly string[],
    intervalMs: number,
    attemptsMax: number,
    gaveUp: () => void,
  ): void {
    const { log, clock } = this.#init;
    log.info("starting retry join", { agent_mode: "server", servers: targets.join(" ") });
    this.#state = { ...this.#state, phase: "joining", targets };
    const attempt = async (): Promise<void> => {
      const outcome = await this.join(targets);
      if (this.#stopped) return;
      this.#note(outcome.joined > 0 ? "joined" : "failing", targets, outcome);
      if (outcome.joined > 0) {
        log.info("retry join completed", { agent_mode: "server", initial_servers: outcome.joined });
        return;
      }
      const error = outcome.errors.join("; ");
      if (attemptsMax > 0 && this.#state.attempts >= attemptsMax) {
        this.#state = { ...this.#state, phase: "gave-up" };
        log.error("max join retry exhausted, exiting", { agent_mode: "server", error });
        gaveUp();
        return;
      }
      log.warn("join failed", { agent_mode: "server", error, retry: `${intervalMs / 1000}s` });
      this.#cancel = clock.schedule(clock.now() + intervalMs, () => void attempt());
    };
    void attempt();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #note(phase: JoinPhase, targets: readonly string[], outcome: JoinOutcome): void {
    const { joined, errors } = outcome;
    const attempts = this.#state.attempts + 1;
    this.#state = { phase, targets, attempts, joined, lastErrors: errors };
  }

  /** `[name/]host[:port]`; a text is why not. */
  async #resolve(target: string): Promise<readonly JoinTarget[] | string> {
    if (isCloudJoin(target)) return NO_CLOUD_JOIN;
    const slash = target.indexOf("/");
    const name = slash < 0 ? undefined : target.slice(0, slash);
    const { host, port = DEFAULT_PORTS.serf } = splitHostPort(target.slice(slash + 1));
    const ips = await this.#init.lookup(host);
    if (ips.length === 0) return `lookup ${host}: no such host`;
    const named = name === undefined ? {} : { name };
    return ips.map((ip) => ({ ip, port, ...named }));
  }
}
