/** `nomad acl policy`. */
import { readText, STDIN } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { aclPath, askAcl } from "./acl-tools.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface Flags extends ApiFlags, FormatFlags {}

interface ApplyFlags extends ApiFlags {
  readonly description?: string;
  readonly job?: string;
  readonly group?: string;
  readonly task?: string;
}

const UNAVAILABLE = "<unavailable>";

export async function policyApply(name: string, path: string, flags: ApplyFlags): Promise<void> {
  const Rules = readRules(path);
  const { namespace = "", job = "", group = "", task = "" } = flags;
  if (job !== "" && namespace === "")
    throw new CommandError("-namespace is required if -job is set");
  if (group !== "" && job === "") throw new CommandError("-job is required if -group is set");
  if (task !== "" && group === "") throw new CommandError("-group is required if -task is set");
  const attached = { Namespace: namespace, JobID: job, Group: group, Task: task };
  const policy = {
    ...{ Name: name, Description: flags.description ?? "", Rules },
    ...(namespace !== "" && { JobACL: attached }),
  };
  await askAcl(flags, "Error writing ACL policy", "PUT", aclPath("policy", name), policy);
  print(`Successfully wrote ${JSON.stringify(name)} ACL policy!`);
}

function readRules(path: string): string {
  try {
    return readText(path === "-" ? STDIN : path);
  } catch (error) {
    const what = path === "-" ? "stdin" : `file ${JSON.stringify(path)}`;
    throw new CommandError(`Failed to read ${what}: ${describeErrno(error)}`);
  }
}

export async function policyList(flags: Flags): Promise<void> {
  checkFormat(flags);
  const found = await askAcl(flags, "Error listing ACL policies", "GET", aclPath("policies"));
  if (await printFormatted(found, flags)) return;
  const policies: readonly unknown[] = Array.isArray(found) ? found : [];
  if (policies.length === 0) return print("No policies found");
  const rows = policies.map((one) => ["Name", "Description"].map((name) => textField(one, name)));
  print(formatTable([["Name", "Description"], ...rows]));
}

export async function policyInfo(name: string, flags: ApiFlags): Promise<void> {
  const what = "Error fetching info on ACL policy";
  const policy = await askAcl(flags, what, "GET", aclPath("policy", name));
  const shown = ["Name", "Description", "CreateIndex", "ModifyIndex"];
  print(formatPairs(shown.map((one) => [one, textField(policy, one)])));
  const attached = field(policy, "JobACL") ?? null;
  if (attached !== null) {
    const of = ["Namespace", "JobID", "Group", "Task"];
    print(
      `\nAssociated Workload\n${formatPairs(of.map((one) => [one, textField(attached, one)]))}`,
    );
  }
  print(`\nRules\n\n${String(field(policy, "Rules") ?? "")}`);
}

export async function policySelf(flags: Flags): Promise<void> {
  checkFormat(flags);
  const token = await askAcl(flags, "Error fetching token", "GET", aclPath("token", "self"));
  if (textField(token, "Type") === "management") {
    return print("This is a management token. No individual policies are assigned.");
  }
  const found = await askAcl(flags, "Error fetching policies", "GET", aclPath("policy", "self"));
  const policies: readonly unknown[] = Array.isArray(found) ? found : [];
  if (policies.length === 0) return print("No policies found.");
  if (await printFormatted(policies, flags)) return;
  const rows = policies.map((one) => {
    const attached = field(one, "JobACL");
    const of = ["JobID", "Group", "Task"].map((name) => textField(attached, name) || UNAVAILABLE);
    return [textField(one, "Name"), ...of];
  });
  print(formatTable([["Name", "Job ID", "Group Name", "Task Name"], ...rows]));
}

export async function policyDelete(name: string, flags: ApiFlags): Promise<void> {
  await askAcl(flags, "Error deleting ACL policy", "DELETE", aclPath("policy", name));
  print(`Successfully deleted ${name} policy!`);
}
