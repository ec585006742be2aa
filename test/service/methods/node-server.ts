/** A leader of one with the Node methods, its log in memory and its clock by hand. */
import { createPrng } from "../../../src/protocol/prng.ts";
import { NodeMethods } from "../../../src/service/methods/node-methods.ts";
import { nodeRegisterRequest, nodeStatusRequest } from "../../../src/state/command.ts";
import { mapBytes, type Node, node } from "../../../src/state/node.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { decodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { silent } from "../../silent.ts";
import type { Json } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import { ManualClock } from "../manual-clock.ts";

export const ID = "039c2320-4e04-1ded-db86-5b4b28b29265";
export const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";
export const CONFIG = {
  graceMs: 10_000,
  minTtlMs: 10_000,
  maxPerSecond: 50,
  failoverTtlMs: 300_000,
};

export class Server {
  readonly machine = new StateMachine();
  readonly clock = new ManualClock();
  readonly methods: NodeMethods;
  readonly written: Uint8Array[] = [];
  index = 7;
  role: "leader" | "follower" = "leader";

  constructor() {
    const self = this;
    this.methods = new NodeMethods({
      config: CONFIG,
      consensus: {
        leader: { id: "a", address: "127.0.50.1:4647" },
        get role() {
          return self.role;
        },
        stats: () => ({
          ...{ term: 1, lastIndex: 1, lastTerm: 1, commitIndex: 1, appliedIndex: 1 },
          ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
          pending: 0,
        }),
        apply: async (data: Uint8Array) => {
          this.index += 1;
          this.written.push(data);
          const outcome = this.machine.apply(this.index, data);
          return { index: this.index, outcome };
        },
      },
      machine: this.machine,
      clock: this.clock,
      prng: createPrng(7),
      log: silent,
      servers: () => [
        {
          Datacenter: "dc1",
          RPCAdvertiseAddr: "127.0.50.1:4647",
          RPCMajorVersion: 0,
          RPCMinorVersion: 0,
        },
      ],
    });
  }

  async call(name: string, body: Uint8Array): Promise<Uint8Array> {
    const options = decodeQueryOptions(body);
    const method = this.methods.methods().get(name);
    if (options === undefined || method === undefined) throw new Error("cannot be called");
    return method.run(options, body);
  }

  async register(fields: Partial<Node> = {}): Promise<Json> {
    const Attributes = mapBytes(new Map([["os.name", "debian"]]));
    const Node = structOf(node, {
      ...{ ID, SecretID: SECRET, Name: "c1", Datacenter: "dc1", Attributes },
      ...fields,
    });
    const body = encodeValue(nodeRegisterRequest, structOf(nodeRegisterRequest, { Node }));
    return updated(await this.call("Node.Register", body));
  }

  async status(Status: string, AuthToken = SECRET, NodeID = ID): Promise<Json> {
    const request = structOf(nodeStatusRequest, { NodeID, Status, AuthToken });
    return updated(await this.call("Node.UpdateStatus", encodeValue(nodeStatusRequest, request)));
  }

  get node(): Node | undefined {
    return this.machine.nodes.get(ID);
  }
}

export function updated(bytes: Uint8Array): Json {
  return decodeValue(goCodec("structs.NodeUpdateResponse"), bytes);
}
