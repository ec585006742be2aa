/** Node.List: no node registers here yet, and whoever waits for one waits as at Nomad's. */
import type { Clock } from "../host/host.ts";
import type { Prng } from "../protocol/ports.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { any, encodeValue, list, struct } from "../wire/codec.ts";
import { queryMeta } from "../wire/rpc-status.ts";
import { whenNewer } from "./blocking-query.ts";
import type { Consensus } from "./consensus.ts";
import type { Method } from "./rpc-methods.ts";

/** No entry is ever written: a node's many fields come with the node table. */
const nodeListReply = struct({ Nodes: list(any), ...queryMeta });

export interface NodeMethodsInit {
  readonly consensus: Pick<Consensus, "leader" | "stats">;
  readonly machine: Pick<StateMachine, "nodesIndex" | "watch">;
  readonly clock: Clock;
  readonly prng: Prng;
}

export function nodeMethods(init: NodeMethodsInit): ReadonlyMap<string, Method> {
  const { consensus, machine, clock, prng } = init;
  const watched = {
    index: () => machine.nodesIndex,
    watch: (changed: () => void) => machine.watch(changed),
  };
  const answer = (): Uint8Array => {
    const { lastContactMs = 0 } = consensus.stats();
    return encodeValue(nodeListReply, {
      Nodes: [],
      Index: BigInt(machine.nodesIndex),
      KnownLeader: consensus.leader !== undefined,
      LastContact: BigInt(Math.round(lastContactMs * 1e6)),
      NextToken: "",
    });
  };
  const run: Method["run"] = (options) => {
    const newer = whenNewer(options, watched, clock, prng);
    return newer === undefined ? answer() : newer.then(answer);
  };
  return new Map([["Node.List", { where: "leader", run }]]);
}
