/** `nomad acl role`. */
import { aclPath, askAcl } from "./acl-tools.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { listField, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface Flags extends ApiFlags, FormatFlags {}

interface RoleFlags extends Flags {
  readonly name?: string;
  readonly description?: string;
  readonly policy?: readonly string[];
}

interface UpdateFlags extends RoleFlags {
  /** False by `-no-merge`. */
  readonly merge?: boolean;
}

export async function roleCreate(flags: RoleFlags): Promise<void> {
  checkFormat(flags);
  const what = "Error creating ACL role";
  await show(await askAcl(flags, what, "PUT", aclPath("role"), whole(flags)), flags);
}

/** @throws CommandError: a role needs a name and a policy */
function whole({ name = "", description = "", policy = [] }: RoleFlags): object {
  if (name === "") throw new CommandError("ACL role name must be specified using the -name flag");
  if (policy.length === 0) {
    const message = "At least one policy name must be specified using the -policy flag";
    throw new CommandError(message);
  }
  return { Name: name, Description: description, Policies: linksTo(policy) };
}

function linksTo(names: readonly string[]): readonly object[] {
  return [...new Set(names)].map((Name) => ({ Name }));
}

export async function roleUpdate(id: string, flags: UpdateFlags): Promise<void> {
  checkFormat(flags);
  const path = aclPath("role", id);
  const known = await askAcl(flags, "Error when retrieving ACL role", "GET", path);
  const role = flags.merge === false ? { ID: id, ...whole(flags) } : merged(known, flags);
  await show(await askAcl(flags, "Error updating ACL role", "PUT", path, role), flags);
}

function merged(known: unknown, flags: UpdateFlags): object {
  const { name = "", description = "", policy = [] } = flags;
  if (name === "" && description === "" && policy.length === 0) {
    throw new CommandError("Please provide at least one flag to update the ACL role");
  }
  return {
    ...Object(known),
    ...(name !== "" && { Name: name }),
    ...(description !== "" && { Description: description }),
    Policies: linksTo([...policiesOf(known), ...policy]),
  };
}

function policiesOf(role: unknown): readonly string[] {
  return listField(role, "Policies").map((link) => textField(link, "Name"));
}

export async function roleList(flags: Flags): Promise<void> {
  checkFormat(flags);
  const found = await askAcl(flags, "Error listing ACL roles", "GET", aclPath("roles"));
  if (await printFormatted(found, flags)) return;
  const roles: readonly unknown[] = Array.isArray(found) ? found : [];
  if (roles.length === 0) return print("No ACL roles found");
  const rows = roles.map((one) => [
    ...["ID", "Name", "Description"].map((name) => textField(one, name)),
    policiesOf(one).toSorted().join(","),
  ]);
  print(formatTable([["ID", "Name", "Description", "Policies"], ...rows]));
}

interface InfoFlags extends Flags {
  readonly byName?: boolean;
}

export async function roleInfo(id: string, flags: InfoFlags): Promise<void> {
  checkFormat(flags);
  const path = flags.byName === true ? aclPath("role", "name", id) : aclPath("role", id);
  await show(await askAcl(flags, "Error reading ACL role", "GET", path), flags);
}

export async function roleDelete(id: string, flags: ApiFlags): Promise<void> {
  await askAcl(flags, "Error deleting ACL role", "DELETE", aclPath("role", id));
  print(`ACL role ${id} successfully deleted`);
}

async function show(role: unknown, flags: FormatFlags): Promise<void> {
  if (await printFormatted(role, flags)) return;
  const pairs = [
    ["ID", textField(role, "ID")],
    ["Name", textField(role, "Name")],
    ["Description", textField(role, "Description")],
    ["Policies", policiesOf(role).toSorted().join(",")],
    ["Create Index", textField(role, "CreateIndex")],
    ["Modify Index", textField(role, "ModifyIndex")],
  ] as const;
  print(formatPairs(pairs));
}
