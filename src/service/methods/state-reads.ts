/** What methods that read the replicated state have in common: waiting for news, and its header. */
import type { Clock } from "../../host/host.ts";
import type { Prng } from "../../protocol/ports.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { nanosOf } from "../../wire/duration.ts";
import type { QueryOptions, queryMeta } from "../../wire/rpc-status.ts";
import { whenNewer } from "../blocking-query.ts";
import { Pace } from "../pace.ts";
import type { Consensus } from "../raft/consensus.ts";
import type { Turns } from "./paging.ts";

export interface StateReadsInit {
  readonly consensus: Pick<Consensus, "leader" | "stats">;
  readonly machine: Pick<StateMachine, "watch">;
  readonly clock: Clock;
  readonly prng: Prng;
}

type Meta = { [Key in keyof typeof queryMeta]: (typeof queryMeta)[Key]["zero"] };

export class StateReads {
  readonly #init: StateReadsInit;
  /** One change ends the wait of all who watch a table, and each is answered with much of it. */
  readonly #pace: Pace;

  constructor(init: StateReadsInit) {
    this.#init = init;
    this.#pace = new Pace(init.clock);
  }

  /** For an answer that is long in the making: how it goes on. */
  turns(signal: AbortSignal | undefined): Turns {
    const { clock } = this.#init;
    return { now: () => clock.now(), next: (costMs) => this.#pace.turn(costMs, signal) };
  }

  /** @param index of the last change of what is read; a number: nothing ever changes it */
  whenNewer(
    options: QueryOptions,
    signal: AbortSignal | undefined,
    index: (() => number) | number,
    answer: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array> {
    const { machine, clock, prng } = this.#init;
    const watched =
      typeof index === "number"
        ? { index: () => index, watch: () => () => undefined }
        : { index, watch: (changed: () => void) => machine.watch(changed) };
    const newer = whenNewer(options, watched, clock, prng, signal);
    const paced = (): Uint8Array | Promise<Uint8Array> => {
      const result = this.#pace.run(answer, signal);
      return result instanceof Uint8Array ? result : Promise.resolve(result);
    };
    return newer === undefined ? paced() : newer.then(paced);
  }

  meta(index: number): Meta {
    const { consensus } = this.#init;
    const { lastContactMs = 0 } = consensus.stats();
    return {
      Index: BigInt(index),
      KnownLeader: consensus.leader !== undefined,
      LastContact: nanosOf(lastContactMs),
      NextToken: "",
    };
  }
}
