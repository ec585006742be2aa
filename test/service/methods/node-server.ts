/** A leader of one with the Node methods, its log in memory and its clock by hand. */

import type { ClientIntroductionConfig } from "../../../src/config/config.ts";
import { systemEntropy } from "../../../src/host/entropy.ts";
import type { Clock, Log, LogFields } from "../../../src/host/host.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import { IdentityKeys } from "../../../src/service/identity/identity-keys.ts";
import { MemoryKeystore } from "../../../src/service/identity/keystore.ts";
import { NodeAuth } from "../../../src/service/methods/node-auth.ts";
import { NodeMethods } from "../../../src/service/methods/node-methods.ts";
import {
  command,
  IGNORABLE,
  MessageType,
  nodeRegisterRequest,
  nodeStatusRequest,
} from "../../../src/state/command.ts";
import { mapBytes, type Node, node } from "../../../src/state/node.ts";
import { signingKey, signingKeyUpsertRequest } from "../../../src/state/signing-key.ts";
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

/** Who judges and signs in a test; there is no key until one is made. */
export function authOf(
  machine: StateMachine,
  clock: Clock,
  how: { level?: ClientIntroductionConfig["enforcement"]; log?: Log; region?: string } = {},
) {
  const { level: enforcement = "none", log = silent, region = "global" } = how;
  const keystore = new MemoryKeystore();
  const nowMs = (): number => clock.wallMs();
  const keys = new IdentityKeys({ region, machine, keystore, entropy: systemEntropy, nowMs });
  const uninvited = new Map<string, number>();
  const introduction = { enforcement, defaultLifetimeMs: 300_000, maxLifetimeMs: 1_800_000 };
  const auth = new NodeAuth({
    ...{ region, machine, keys, introduction, clock, log, uninvited },
  });
  return { auth, keys, keystore, uninvited };
}

/** A log whose lines are kept, with their level. */
export function keptLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields?: LogFields) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  };
  const log: Log = {
    ...{ trace: at("trace"), debug: at("debug"), info: at("info") },
    ...{ warn: at("warn"), error: at("error"), named: () => log },
  };
  return { log, lines };
}

export class Server {
  readonly machine = new StateMachine();
  readonly clock = new ManualClock();
  readonly lines: string[];
  readonly identities: ReturnType<typeof authOf>;
  readonly methods: NodeMethods;
  readonly written: Uint8Array[] = [];
  index = 7;
  role: "leader" | "follower" = "leader";

  constructor(level: ClientIntroductionConfig["enforcement"] = "none") {
    const self = this;
    const { log, lines } = keptLog();
    this.lines = lines;
    this.identities = authOf(this.machine, this.clock, { level, log });
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
      auth: this.identities.auth,
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

  /** There is another key that signs. @returns its id */
  async sign(lifetimeMs = 86_400_000): Promise<string> {
    const fresh = await this.identities.keys.create();
    const LifetimeMax = BigInt(lifetimeMs) * 1_000_000n;
    const CreateTime = BigInt(this.clock.wallMs()) * 1_000_000n;
    const Key = structOf(signingKey, { ...fresh, State: "active", CreateTime, LifetimeMax });
    const request = structOf(signingKeyUpsertRequest, { Key, Now: CreateTime });
    this.index += 1;
    const type = MessageType.signingKeyUpsert | IGNORABLE;
    this.machine.apply(this.index, command(type, signingKeyUpsertRequest, request));
    return Key.KeyID;
  }

  async register(fields: Partial<Node> = {}, AuthToken = ""): Promise<Json> {
    const Attributes = mapBytes(new Map([["os.name", "debian"]]));
    const Node = structOf(node, {
      ...{ ID, SecretID: SECRET, Name: "c1", Datacenter: "dc1", Attributes },
      ...fields,
    });
    const request = structOf(nodeRegisterRequest, { Node, AuthToken });
    const body = encodeValue(nodeRegisterRequest, request);
    return updated(await this.call("Node.Register", body));
  }

  async status(
    Status: string,
    AuthToken = SECRET,
    NodeID = ID,
    ForceIdentityRenewal = false,
  ): Promise<Json> {
    const fields = { NodeID, Status, AuthToken, ForceIdentityRenewal };
    const request = structOf(nodeStatusRequest, fields);
    return updated(await this.call("Node.UpdateStatus", encodeValue(nodeStatusRequest, request)));
  }

  get node(): Node | undefined {
    return this.machine.nodes.get(ID);
  }
}

export function updated(bytes: Uint8Array): Json {
  return decodeValue(goCodec("structs.NodeUpdateResponse"), bytes);
}
