/** The System methods: upkeep that an operator asks for. */
import { nodeBatchDeregisterRequest } from "../../state/command.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { encodeValue, structOf } from "../../wire/codec.ts";
import { encodeEmpty, type QueryOptions } from "../../wire/rpc-status.ts";
import type { Method } from "./methods.ts";

interface SystemMethodsInit {
  readonly machine: Pick<StateMachine, "nodes">;
  /** Node.BatchDeregister. */
  readonly deregister: Method["run"];
}

/** Of one entry of the log. */
const NODES_AT_ONCE = 4096;

export function systemMethods(init: SystemMethodsInit): ReadonlyMap<string, Method> {
  return new Map<string, Method>([
    ["System.GarbageCollect", { where: "leader", run: (options) => collect(init, options) }],
    // There are no jobs, and no summaries of them.
    ["System.ReconcileJobSummaries", { where: "leader", run: () => encodeEmpty() }],
  ]);
}

/** Nodes that are down go; whichever of them comes back registers again. */
async function collect(init: SystemMethodsInit, options: QueryOptions): Promise<Uint8Array> {
  const down = init.machine.nodes.all().filter(({ Status }) => Status === "down");
  for (let at = 0; at < down.length; at += NODES_AT_ONCE) {
    const NodeIDs = down.slice(at, at + NODES_AT_ONCE).map(({ ID }) => ID);
    const request = structOf(nodeBatchDeregisterRequest, { NodeIDs, Region: options.Region });
    await init.deregister(options, encodeValue(nodeBatchDeregisterRequest, request));
  }
  return encodeEmpty();
}
