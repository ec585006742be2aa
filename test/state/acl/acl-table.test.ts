/** ACLs in the replicated state: Nomad's entries of the log, its records of a snapshot. */
import { describe, expect, test } from "bun:test";
import {
  type AclPolicy,
  type AclRole,
  type AclToken,
  aclPolicy,
  aclRole,
  aclToken,
  isExpired,
  policyDeleteRequest,
  policyUpsertRequest,
  rolesDeleteRequest,
  rolesUpsertRequest,
  tokenBootstrapRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../../../src/state/acl/acl.ts";
import { AclMessage } from "../../../src/state/acl/acl-changes.ts";
import { command, restoreCommand } from "../../../src/state/command.ts";
import { countRecords } from "../../../src/state/image.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { type Codec, encodeValue, structOf, unixTime } from "../../../src/wire/codec.ts";
import { goCodec } from "../../wire/go-schema.ts";

const token = (fields: Partial<AclToken>): AclToken => structOf(aclToken, fields);
const policy = (Name: string, fields: Partial<AclPolicy> = {}): AclPolicy =>
  structOf(aclPolicy, { Name, Rules: 'agent { policy = "read" }', ...fields });
const role = (ID: string, Name: string, ...policies: string[]): AclRole =>
  structOf(aclRole, { ID, Name, Policies: policies.map((one) => ({ Name: one })) });

function apply<T extends object>(
  machine: StateMachine,
  index: number,
  type: number,
  codec: Codec<T>,
  fields: Partial<T>,
): string {
  return machine.apply(index, command(type, codec, structOf(codec, fields)));
}

const bootstrap = (machine: StateMachine, index: number, id: string, ResetIndex = 0n): string => {
  const Token = token({ AccessorID: id, SecretID: `secret-${id}`, Type: "management" });
  const { tokenBootstrap } = AclMessage;
  return apply(machine, index, tokenBootstrap, tokenBootstrapRequest, { Token, ResetIndex });
};

function filled(): StateMachine {
  const machine = new StateMachine();
  bootstrap(machine, 5, "first");
  const Policies = [policy("one"), policy("two")];
  apply(machine, 6, AclMessage.policyUpsert, policyUpsertRequest, { Policies });
  const ACLRoles = [role("r1", "readers", "one")];
  apply(machine, 7, AclMessage.rolesUpsert, rolesUpsertRequest, { ACLRoles });
  const Tokens = [
    token({ AccessorID: "a", SecretID: "sa", Type: "client", Policies: ["two", "gone"] }),
    token({ AccessorID: "b", SecretID: "sb", Type: "client", Roles: [{ ID: "r1", Name: "" }] }),
  ];
  apply(machine, 8, AclMessage.tokenUpsert, tokenUpsertRequest, { Tokens });
  return machine;
}

describe("bootstrap", () => {
  test("once, and again with the index of the last time only", () => {
    const machine = new StateMachine();
    expect(bootstrap(machine, 5, "first")).toBe("applied");
    expect(machine.acl.bootstrapIndex).toBe(5n);
    expect(bootstrap(machine, 6, "second")).toBe("refused");
    expect(bootstrap(machine, 7, "second", 4n)).toBe("refused");
    expect(machine.acl.token("second")).toBeUndefined();
    expect(bootstrap(machine, 8, "second", 5n)).toBe("applied");
    expect(machine.acl.token("second")).toMatchObject({ CreateIndex: 8n, ModifyIndex: 8n });
    // The same index opens it once.
    expect(bootstrap(machine, 9, "third", 5n)).toBe("refused");
  });

  test("is not open again when all tokens are gone", () => {
    const machine = new StateMachine();
    bootstrap(machine, 5, "first");
    apply(machine, 6, AclMessage.tokenDelete, tokenDeleteRequest, { AccessorIDs: ["first"] });
    expect(bootstrap(machine, 7, "second")).toBe("refused");
  });
});

describe("tokens", () => {
  test("keep their secret and their birth, whatever an update says", () => {
    const machine = filled();
    const [before] = [machine.acl.token("a")];
    const changed = token({ AccessorID: "a", SecretID: "stolen", Name: "new", Type: "client" });
    apply(machine, 9, AclMessage.tokenUpsert, tokenUpsertRequest, { Tokens: [changed] });
    const { SecretID, Name, CreateIndex, ModifyIndex, CreateTime } =
      machine.acl.token("a") ?? changed;
    expect([SecretID, Name, CreateIndex, ModifyIndex]).toEqual(["sa", "new", 8n, 9n]);
    expect(CreateTime).toEqual(before?.CreateTime ?? changed.CreateTime);
  });

  test("have the policies of their own and of their roles, as far as these are there", () => {
    const { acl } = filled();
    const namesOf = (id: string): string[] =>
      acl.policiesOf(acl.token(id) ?? token({})).map((one) => one.Name);
    expect(namesOf("a")).toEqual(["two"]);
    expect(namesOf("b")).toEqual(["one"]);
  });

  test("show the present name of a role, and none that is gone", () => {
    const machine = filled();
    const ACLRoles = [role("r1", "renamed", "one")];
    apply(machine, 9, AclMessage.rolesUpsert, rolesUpsertRequest, { ACLRoles });
    expect(machine.acl.token("b")?.Roles).toEqual([{ ID: "r1", Name: "renamed" }]);
    apply(machine, 10, AclMessage.rolesDelete, rolesDeleteRequest, { ACLRoleIDs: ["r1"] });
    expect(machine.acl.token("b")?.Roles).toEqual([]);
    expect(machine.acl.policiesOf(machine.acl.token("b") ?? token({}))).toEqual([]);
  });

  test("end at their time, not after it", () => {
    const at = (seconds: bigint | null): AclToken =>
      token({ ExpirationTime: seconds === null ? null : unixTime(seconds) });
    expect(isExpired(at(null), unixTime(10n))).toBe(false);
    expect(isExpired(token({ ExpirationTime: aclToken.zero.CreateTime }), unixTime(10n))).toBe(
      false,
    );
    expect(isExpired(at(11n), unixTime(10n))).toBe(false);
    expect(isExpired(at(10n), unixTime(10n))).toBe(true);
    const almost = { ...unixTime(10n), nanos: 999_999_999 };
    expect(isExpired(at(11n), almost)).toBe(false);
  });
});

describe("roles", () => {
  test("all of a request or none: no name twice, no policy that is not there", () => {
    const machine = filled();
    const upsert = (...ACLRoles: AclRole[]): string =>
      apply(machine, 9, AclMessage.rolesUpsert, rolesUpsertRequest, { ACLRoles });
    expect(upsert(role("r2", "fine", "one"), role("r3", "readers", "one"))).toBe("refused");
    expect(upsert(role("r2", "same", "one"), role("r3", "same", "one"))).toBe("refused");
    expect(upsert(role("r2", "fine", "nowhere"))).toBe("refused");
    expect(machine.acl.roles().map((one) => one.ID)).toEqual(["r1"]);
    expect(machine.acl.rolesIndex).toBe(7);
    const copied = { ACLRoles: [role("r2", "fine", "nowhere")], AllowMissingPolicies: true };
    expect(apply(machine, 10, AclMessage.rolesUpsert, rolesUpsertRequest, copied)).toBe("applied");
    expect(machine.acl.roleNamed("fine")?.CreateIndex).toBe(10n);
  });

  test("deleting one that is not there deletes none", () => {
    const machine = filled();
    const ACLRoleIDs = ["r1", "r9"];
    apply(machine, 9, AclMessage.rolesDelete, rolesDeleteRequest, { ACLRoleIDs });
    expect(machine.acl.role("r1")).toBeDefined();
  });
});

test("a policy that is deleted is gone, and its name may be used again", () => {
  const machine = filled();
  apply(machine, 9, AclMessage.policyDelete, policyDeleteRequest, { Names: ["one", "nowhere"] });
  expect(machine.acl.policies().map((one) => one.Name)).toEqual(["two"]);
  expect(machine.acl.policiesIndex).toBe(9);
  apply(machine, 10, AclMessage.policyUpsert, policyUpsertRequest, { Policies: [policy("one")] });
  expect(machine.acl.policy("one")?.CreateIndex).toBe(10n);
});

describe("a snapshot", () => {
  test("has all of it, with Nomad's records, which Go's own types read", () => {
    const machine = filled();
    const restored = new StateMachine();
    expect(restored.restore(machine.snapshot(), 8)).toBe(true);
    expect(restored.acl.content()).toEqual(machine.acl.content());
    const counts = countRecords(machine.snapshot()) ?? [];
    const kept = counts.filter(({ name }) => name.startsWith("ACL"));
    expect(kept.map(({ name, count }) => `${name} ${count}`).sort()).toEqual([
      ...["ACLPolicy 2", "ACLRole 1", "ACLToken 3"],
    ]);
    expect(kept.every((one) => one.kept)).toBe(true);
  });

  test.each([
    ["structs.ACLToken", aclToken],
    ["structs.ACLPolicy", aclPolicy],
    ["structs.ACLRole", aclRole],
    ["structs.ACLTokenBootstrapRequest", tokenBootstrapRequest],
    ["structs.ACLTokenUpsertRequest", tokenUpsertRequest],
    ["structs.ACLPolicyUpsertRequest", policyUpsertRequest],
    ["structs.ACLRolesUpsertRequest", rolesUpsertRequest],
    ["structs.ACLRolesDeleteByIDRequest", rolesDeleteRequest],
  ] as const)("%s has Nomad's fields", (name, codec) => {
    const ours = encodeValue<object>(Object(codec), codec.zero);
    expect(ours).toEqual(encodeValue(goCodec(name), goCodec(name).zero));
  });

  test("of an older server, without ACLs, leaves none", () => {
    const machine = filled();
    expect(machine.restore(new StateMachine().snapshot(), 9)).toBe(true);
    expect([...machine.acl.tokens()]).toEqual([]);
    expect(machine.acl.bootstrapIndex).toBe(0n);
  });

  test("an archive brings its tokens, and nothing from the future", () => {
    const machine = new StateMachine();
    machine.apply(3, restoreCommand(filled().snapshot()));
    expect(machine.acl.token("first")).toMatchObject({ CreateIndex: 3n, SecretID: "secret-first" });
    expect(machine.acl.bootstrapIndex).toBe(3n);
    expect(bootstrap(machine, 4, "second")).toBe("refused");
    expect(machine.acl.tokensIndex).toBe(3);
  });
});

test("what cannot be decoded changes nothing", () => {
  const machine = filled();
  const before = machine.acl.content();
  for (const type of Object.values(AclMessage)) {
    expect(machine.apply(9, Uint8Array.of(type, 0xc1))).toBe("skipped");
    expect(machine.apply(9, Uint8Array.of(type, 0x93, 1, 2, 3))).not.toBe("refused");
  }
  expect({ ...machine.acl.content(), policiesIndex: 6n, tokensIndex: 8n }).toEqual(before);
});
