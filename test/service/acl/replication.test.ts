/** A region that copies the ACLs of the authoritative one: what comes, what goes, and what stays. */
import { expect, test } from "bun:test";
import { AclReplication } from "../../../src/service/acl/replication.ts";
import {
  type AclToken,
  aclToken,
  policyDeleteRequest,
  policyUpsertRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../../../src/state/acl/acl.ts";
import { AclMessage } from "../../../src/state/acl/acl-changes.ts";
import { command } from "../../../src/state/command.ts";
import {
  type Namespace,
  namespace,
  namespaceDeleteRequest,
  namespaceUpsertRequest,
} from "../../../src/state/namespace.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";
import { AclServer } from "../methods/acl-server.ts";

const LOCAL: AclToken = structOf(aclToken, { AccessorID: "local", SecretID: "s", Type: "client" });

/** A second region, which asks the first with `token`. */
class Copy {
  readonly machine = new StateMachine();
  readonly clock = new ManualClock();
  readonly replication: AclReplication;
  applied = 0;
  isCut = false;

  constructor(server: AclServer, token: string, written = (_bytes: number): void => undefined) {
    const request = structOf(tokenUpsertRequest, { Tokens: [LOCAL] });
    this.machine.apply(1, command(AclMessage.tokenUpsert, tokenUpsertRequest, request));
    this.replication = new AclReplication({
      ...{ region: "global", token, machine: this.machine, clock: this.clock, log: silent },
      ask: async (method, body, signal) => {
        if (this.isCut) throw new Error("No path to region");
        return server.methods.call(method, body, { names: undefined, signal });
      },
      apply: async (data) => {
        this.applied += 1;
        written(data.length);
        return this.machine.apply(this.machine.index + 1, data);
      },
    });
  }

  async turn(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await settle();
      await this.clock.advance(200);
    }
  }

  get names(): string[] {
    const { acl } = this.machine;
    return [
      ...acl.policies().map((one) => `policy ${one.Name}`),
      ...acl.roles().map((one) => `role ${one.Name}`),
      ...[...acl.tokens()].map((one) => `token ${one.Name || one.AccessorID}`).sort(),
    ];
  }
}

async function setUp() {
  const server = new AclServer();
  const management = await server.bootstrap();
  await server.policy(management, "reader", 'agent { policy = "read" }');
  await server.token(management, { Name: "everywhere", Global: true, Policies: ["reader"] });
  await server.token(management, { Name: "here", Policies: ["reader"] });
  return { server, management };
}

test("policies and global tokens come with their secrets; tokens of either region alone stay there", async () => {
  const { server, management } = await setUp();
  const copy = new Copy(server, management);
  copy.replication.start();
  await copy.turn();
  expect(copy.names).toEqual([
    ...["policy reader", "token Bootstrap Token", "token everywhere", "token local"],
  ]);
  const secrets = [...copy.machine.acl.tokens()].map((one) => one.SecretID);
  expect(secrets).toContain(management);
  expect(copy.machine.acl.bootstrapIndex).toBe(0n);
  const { applied } = copy;
  await copy.turn();
  expect(copy.applied).toBe(applied);
  copy.replication.stop();
});

test("changes come by themselves, and so does the end of what is deleted", async () => {
  const { server, management } = await setUp();
  const copy = new Copy(server, management);
  copy.replication.start();
  await copy.turn();
  await server.policy(management, "reader", 'node { policy = "write" }');
  await server.policy(management, "second", 'node { policy = "read" }');
  await copy.turn();
  expect(copy.machine.acl.policy("reader")?.Rules).toContain("node");
  expect(copy.names).toContain("policy second");
  const gone = [...server.machine.acl.tokens()].find((one) => one.Name === "everywhere");
  const fields = { AuthToken: management, Region: "global" };
  const tokens = { ...fields, AccessorIDs: [gone?.AccessorID ?? ""] };
  const body = encodeValue(tokenDeleteRequest, structOf(tokenDeleteRequest, tokens));
  await server.call("ACL.DeleteTokens", body);
  const names = { ...fields, Names: ["second"] };
  const other = encodeValue(policyDeleteRequest, structOf(policyDeleteRequest, names));
  await server.call("ACL.DeletePolicies", other);
  await copy.turn();
  expect(copy.names).toEqual(["policy reader", "token Bootstrap Token", "token local"]);
  copy.replication.stop();
});

test("namespaces are those of the authoritative region, with what is said of each", async () => {
  const { server, management } = await setUp();
  const copy = new Copy(server, management);
  const AuthToken = management;
  const upsert = async (...all: Partial<Namespace>[]): Promise<void> => {
    const Namespaces = all.map((one) => structOf(namespace, one));
    const request = structOf(namespaceUpsertRequest, { AuthToken, Namespaces, Region: "global" });
    await server.call("Namespace.UpsertNamespaces", encodeValue(namespaceUpsertRequest, request));
  };
  const copied = (): string[] =>
    copy.machine.namespaces.all().map(({ Name, Description }) => `${Name}: ${Description}`);
  await upsert({ Name: "prod", Description: "live" }, { Name: "test" });
  copy.replication.start();
  await copy.turn();
  expect(copied()).toEqual(["default: Default shared namespace", "prod: live", "test: "]);
  const { applied } = copy;
  await copy.turn();
  expect(copy.applied).toBe(applied);
  await upsert({ Name: "prod", Description: "old" });
  const request = structOf(namespaceDeleteRequest, { Namespaces: ["test"], Region: "global" });
  const body = encodeValue(namespaceDeleteRequest, { ...request, AuthToken });
  await server.call("Namespace.DeleteNamespaces", body);
  await copy.turn();
  expect(copied()).toEqual(["default: Default shared namespace", "prod: old"]);
  copy.replication.stop();
});

test("a region that does not know the token, or cannot be reached, takes nothing away", async () => {
  const { server, management } = await setUp();
  const copy = new Copy(server, management);
  copy.replication.start();
  await copy.turn();
  const before = copy.names;
  copy.replication.stop();
  // It has lost its state, and was bootstrapped anew by somebody else.
  const other = new AclServer();
  await other.bootstrap();
  const again = new Copy(other, management);
  for (const one of copy.machine.acl.tokens()) {
    const request = structOf(tokenUpsertRequest, { Tokens: [one] });
    again.machine.apply(2, command(AclMessage.tokenUpsert, tokenUpsertRequest, request));
  }
  again.replication.start();
  await again.turn();
  expect(again.names.filter((one) => one.startsWith("token"))).toEqual(
    before.filter((one) => one.startsWith("token")),
  );
  again.replication.stop();
  const cut = new Copy(server, management);
  cut.isCut = true;
  cut.replication.start();
  await cut.turn();
  expect(cut.names).toEqual(["token local"]);
  cut.isCut = false;
  await cut.clock.advance(30_000);
  await cut.turn();
  expect(cut.names).toContain("token everywhere");
  cut.replication.stop();
});

test("without a token nothing is asked", async () => {
  const { server } = await setUp();
  const copy = new Copy(server, "");
  copy.replication.start();
  await copy.turn();
  expect(copy.names).toEqual(["token local"]);
});

test("a token that sees only its own policies takes no others away", async () => {
  const { server, management } = await setUp();
  const copy = new Copy(server, management);
  copy.replication.start();
  await copy.turn();
  copy.replication.stop();
  // The operator has put a token of the clients into the configuration.
  const lesser = await server.token(management, { Policies: ["other"] });
  const again = new Copy(server, lesser.SecretID);
  for (const one of copy.machine.acl.policies()) {
    const request = structOf(policyUpsertRequest, { Policies: [one] });
    again.machine.apply(2, command(AclMessage.policyUpsert, policyUpsertRequest, request));
  }
  again.replication.start();
  await again.turn();
  expect(again.names).toEqual(["policy reader", "token local"]);
  again.replication.stop();
});

test("many are copied a part at a time", async () => {
  const { server, management } = await setUp();
  for (let i = 0; i < 600; i++) {
    await server.token(management, { Name: `t${i}`, Global: true, Policies: ["reader"] });
  }
  const sizes: number[] = [];
  const copy = new Copy(server, management, (bytes) => void sizes.push(bytes));
  copy.replication.start();
  await copy.turn();
  expect(copy.names.filter((one) => one.startsWith("token t")).length).toBe(600);
  expect(Math.max(...sizes)).toBeLessThan(128 * 1024);
  copy.replication.stop();
});
