/** `nomad acl bootstrap` and `nomad acl token`. */
import { errorText } from "../host/error-text.ts";
import { readText, STDIN } from "../host/files.ts";
import { nanosOf, parseDurationMs } from "../wire/duration.ts";
import { aclPath, askAcl, goTime, isUuid } from "./acl-tools.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print, printError } from "./output.ts";
import { settingOf } from "./setting.ts";

interface Flags extends ApiFlags, FormatFlags {}

interface LinkFlags extends Flags {
  readonly name?: string;
  readonly type?: string;
  readonly policy?: readonly string[];
  readonly roleId?: readonly string[];
  readonly roleName?: readonly string[];
}

interface CreateFlags extends LinkFlags {
  readonly global?: boolean;
  readonly ttl?: string;
}

/** @param path of a secret; undefined: the server makes one */
export async function aclBootstrap(path: string | undefined, flags: Flags): Promise<void> {
  checkFormat(flags);
  const BootstrapSecret = path === undefined ? "" : readSecret(path);
  const body = BootstrapSecret === "" ? undefined : { BootstrapSecret };
  const what = "Error bootstrapping";
  await show(await askAcl(flags, what, "PUT", aclPath("bootstrap"), body), flags);
}

function readSecret(path: string): string {
  try {
    return readText(path === "-" ? STDIN : path).replace(/\n$/, "");
  } catch (error) {
    throw new CommandError(`Error reading provided token: ${errorText(error)}`);
  }
}

export async function tokenCreate(flags: CreateFlags): Promise<void> {
  checkFormat(flags);
  const ttlMs = flags.ttl === undefined ? 0 : parseDurationMs(flags.ttl);
  if (ttlMs === undefined) {
    const given = JSON.stringify(flags.ttl);
    throw new CommandError(`Failed to parse TTL as time duration: time: invalid duration ${given}`);
  }
  await warnOfMissing(flags);
  const token = {
    Name: flags.name ?? "",
    Type: flags.type ?? "client",
    Global: flags.global === true,
    Policies: flags.policy ?? null,
    Roles: rolesOf(flags),
    ExpirationTTL: Number(nanosOf(ttlMs)),
  };
  const what = "Error creating token";
  await show(await askAcl(flags, what, "PUT", aclPath("token"), token), flags);
}

/** A policy that is not there grants nothing: perhaps its name is wrong. */
async function warnOfMissing(flags: CreateFlags): Promise<void> {
  for (const name of flags.policy ?? []) {
    const what = `Error fetching info on ${name} policy`;
    await askAcl(flags, what, "GET", aclPath("policy", name)).catch((error: unknown) => {
      printError(errorText(error));
    });
  }
}

function rolesOf({ roleName = [], roleId = [] }: LinkFlags): readonly object[] | null {
  const roles = [
    ...[...new Set(roleName)].map((Name) => ({ Name })),
    ...[...new Set(roleId)].map((ID) => ({ ID })),
  ];
  return roles.length === 0 ? null : roles;
}

export async function tokenUpdate(id: string, flags: LinkFlags): Promise<void> {
  const known = await askAcl(flags, "Error fetching token", "GET", aclPath("token", id));
  const given = {
    ...(flags.name !== undefined && { Name: flags.name }),
    ...(flags.type !== undefined && { Type: flags.type }),
    ...(flags.policy !== undefined && { Policies: flags.policy }),
    ...(rolesOf(flags) !== null && { Roles: rolesOf(flags) }),
  };
  const token = { ...Object(known), ...given };
  const what = "Error updating token";
  await show(await askAcl(flags, what, "PUT", aclPath("token", id), token), flags);
}

export async function tokenList(flags: Flags): Promise<void> {
  checkFormat(flags);
  const found = await askAcl(flags, "Error listing ACL tokens", "GET", aclPath("tokens"));
  if (await printFormatted(found, flags)) return;
  const tokens: readonly unknown[] = Array.isArray(found) ? found : [];
  if (tokens.length === 0) return print("No tokens found");
  const rows = tokens.map((one) => [
    ...["Name", "Type", "Global", "AccessorID"].map((name) => textField(one, name)),
    String(isOver(textField(one, "ExpirationTime"))),
  ]);
  print(formatTable([["Name", "Type", "Global", "Accessor ID", "Expired"], ...rows]));
}

function isOver(end: string): boolean {
  return end !== "" && !end.startsWith("0001-") && Date.parse(end) < Date.now();
}

export async function tokenInfo(id: string, flags: ApiFlags): Promise<void> {
  await show(await askAcl(flags, "Error fetching token", "GET", aclPath("token", id)), {});
}

export async function tokenSelf(flags: ApiFlags): Promise<void> {
  const token = settingOf(["-token", flags.token], "NOMAD_TOKEN", process.env)?.value ?? "";
  if (token === "") {
    throw new CommandError("No token present in the environment or set via the CLI flag");
  }
  if (!isUuid(token)) {
    const none = "No ACL tokens, nor ACL policies attached to a workload identity found.";
    throw new CommandError(none);
  }
  const what = "Error fetching self token";
  await show(await askAcl(flags, what, "GET", aclPath("token", "self")), {});
}

export async function tokenDelete(id: string, flags: ApiFlags): Promise<void> {
  await askAcl(flags, "Error deleting token", "DELETE", aclPath("token", id));
  print(`Token ${id} successfully deleted`);
}

/** One with its secret: whoever asks has it already, or has just made it. */
async function show(token: unknown, flags: FormatFlags): Promise<void> {
  if (await printFormatted(token, flags)) return;
  const end = textField(token, "ExpirationTime");
  const pairs: (readonly [string, unknown])[] = [
    ["Accessor ID", textField(token, "AccessorID")],
    ["Secret ID", textField(token, "SecretID")],
    ["Name", textField(token, "Name")],
    ["Type", textField(token, "Type")],
    ["Global", field(token, "Global") === true],
    ["Create Time", goTime(textField(token, "CreateTime"))],
    ["Expiry Time", end === "" || end.startsWith("0001-") ? "<none>" : goTime(end)],
    ["Create Index", textField(token, "CreateIndex")],
    ["Modify Index", textField(token, "ModifyIndex")],
  ];
  if (textField(token, "Type") === "management") {
    return print(formatPairs([...pairs, ["Policies", "n/a"], ["Roles", "n/a"]]));
  }
  const policies = listField(token, "Policies").map(String);
  print(formatPairs([...pairs, ["Policies", `[${policies.join(" ")}]`]]));
  const roles = listField(token, "Roles").map((role) =>
    ["ID", "Name"].map((name) => textField(role, name)),
  );
  print(`\nRoles\n${roles.length === 0 ? "<none>" : formatTable([["ID", "Name"], ...roles])}`);
}
