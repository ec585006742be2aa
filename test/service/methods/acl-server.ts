/** A leader of one with ACLs: all methods behind their guard, the log in memory, time by hand. */
import { createPrng } from "../../../src/protocol/prng.ts";
import { AclResolver } from "../../../src/service/acl/resolver.ts";
import { AclPolicyMethods } from "../../../src/service/methods/acl-policy-methods.ts";
import { AclTokenMethods } from "../../../src/service/methods/acl-token-methods.ts";
import { withAcls } from "../../../src/service/methods/acl-tools.ts";
import { MethodGuard } from "../../../src/service/methods/method-guard.ts";
import { RpcMethods } from "../../../src/service/methods/methods.ts";
import { NamespaceMethods } from "../../../src/service/methods/namespace-methods.ts";
import { NodePoolMethods } from "../../../src/service/methods/node-pool-methods.ts";
import { NodeLines } from "../../../src/service/rpc/node-lines.ts";
import {
  type AclPolicy,
  type AclToken,
  aclPolicy,
  aclToken,
  policyUpsertRequest,
  tokenBootstrapRequest,
  tokenUpsertRequest,
} from "../../../src/state/acl/acl.ts";
import type { StateMachine } from "../../../src/state/state-machine.ts";
import { type Codec, decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { silent } from "../../silent.ts";
import type { Json } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import type { ManualClock } from "../manual-clock.ts";
import { Server } from "./node-server.ts";

interface AclServerInit {
  readonly enabled?: boolean;
  readonly region?: string;
  readonly authoritativeRegion?: string;
}

export class AclServer {
  readonly nodes = new Server();
  readonly machine: StateMachine = this.nodes.machine;
  readonly clock: ManualClock = this.nodes.clock;
  readonly methods: RpcMethods;
  readonly resolver: AclResolver;
  /** Entries of the log. */
  readonly written: Uint8Array[] = [];
  /** Requests that went to other regions. */
  readonly passedOn: { region: string; name: string; body: Uint8Array }[] = [];
  resetIndex = 0n;
  /** What another region answers. @throws Error */
  abroad: (name: string) => Uint8Array = () => Uint8Array.of(0x80);

  constructor(init: AclServerInit = {}) {
    const { enabled = true, region = "global" } = init;
    const { machine, clock } = this;
    const stats = () => ({
      ...{ term: 1, lastIndex: 1, lastTerm: 1, commitIndex: 1, appliedIndex: 1, pending: 0 },
      ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
    });
    const apply = async (data: Uint8Array) => {
      const index = machine.index + 1;
      this.written.push(data);
      return { index, outcome: machine.apply(index, data) };
    };
    const consensus = { leader: { id: "a", address: "" }, stats, apply };
    this.resolver = new AclResolver({ enabled, machine, clock });
    const guard = new MethodGuard(this.resolver);
    const prng = createPrng(1);
    const acl = {
      ...{ region, resolver: this.resolver, consensus, machine, clock, prng, log: silent },
      authoritativeRegion: init.authoritativeRegion ?? region,
      limits: { minMs: 60_000, maxMs: 86_400_000 },
      resetIndex: () => this.resetIndex,
    };
    const acls = [...new AclTokenMethods(acl).methods(), ...new AclPolicyMethods(acl).methods()];
    const pools = new NodePoolMethods({ region, consensus, machine, clock, prng, guard }).methods();
    const { authoritativeRegion } = acl;
    const reads = { consensus, machine, clock, prng, guard };
    const spaces = new NamespaceMethods({ ...reads, authoritativeRegion }).methods();
    this.methods = new RpcMethods({
      region,
      members: () => ({ serverName: "s", serverRegion: region, serverDc: "dc1", members: [] }),
      regions: () => [region],
      raftPeers: () => [],
      leader: () => "127.0.50.1:4647",
      raftStats: () => ({ lastContactMs: 0, lastIndex: 1n, lastTerm: 1n }),
      verify: async () => undefined,
      lines: new NodeLines(() => 0),
      isNode: () => false,
      others: new Map([
        ...withAcls(acl, new Map(acls)),
        ...pools,
        ...spaces,
        ...this.nodes.methods.methods(),
      ]),
      forwarder: Object({
        weLead: () => true,
        toLeader: async (_request: unknown, lead: () => unknown) => lead(),
        toRegion: async (to: string, request: { name: string; body: Uint8Array }) => {
          this.passedOn.push({ region: to, name: request.name, body: request.body });
          return this.abroad(request.name);
        },
      }),
      guard,
    });
  }

  /** @throws RpcMethodError */
  async call(name: string, body: Uint8Array): Promise<Uint8Array> {
    return this.methods.call(name, body, { names: undefined });
  }

  async ask(name: string, request: string, reply: string, fields: object): Promise<Json> {
    const codec: Codec<Json> = goCodec(request);
    const body = encodeValue(codec, { ...codec.zero, Region: "global", ...fields });
    return decodeValue(goCodec(reply), await this.call(name, body));
  }

  /** @returns the secret of a management token */
  async bootstrap(): Promise<string> {
    const fields = structOf(tokenBootstrapRequest, { Region: "global" });
    const body = encodeValue(tokenBootstrapRequest, fields);
    const reply = decodeValue(
      goCodec("structs.ACLTokenUpsertResponse"),
      await this.call("ACL.Bootstrap", body),
    );
    return reply.Tokens[0].SecretID;
  }

  async policy(AuthToken: string, Name: string, Rules: string): Promise<void> {
    const Policies: AclPolicy[] = [structOf(aclPolicy, { Name, Rules })];
    const fields = structOf(policyUpsertRequest, { AuthToken, Policies, Region: "global" });
    await this.call("ACL.UpsertPolicies", encodeValue(policyUpsertRequest, fields));
  }

  async token(AuthToken: string, fields: Partial<AclToken>): Promise<AclToken> {
    const Tokens = [structOf(aclToken, { Type: "client", ...fields })];
    const request = structOf(tokenUpsertRequest, { AuthToken, Tokens, Region: "global" });
    const body = encodeValue(tokenUpsertRequest, request);
    const reply = decodeValue(
      goCodec("structs.ACLTokenUpsertResponse"),
      await this.call("ACL.UpsertTokens", body),
    );
    return reply.Tokens[0];
  }

  /** "ok", or what the error says. */
  async outcome(name: string, AuthToken: string, fields: object = {}): Promise<string> {
    const body = encodeQueryOptions({ AuthToken, Region: "global", ...fields });
    return this.call(name, body).then(
      () => "ok",
      (error: unknown) => (error instanceof Error ? error.message : ""),
    );
  }
}
