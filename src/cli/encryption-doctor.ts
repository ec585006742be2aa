/** `nomad operator encryption doctor`: what is encrypted, and what it takes until all of it is. */
import { errorText } from "../host/error-text.ts";
import { visible } from "../host/visible.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

/** @throws CommandError with exit code 1 unless everything is well for 30 days */
export async function encryptionDoctor(flags: ApiFlags & FormatFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const report = await client.get(PATHS.encryption).catch((error: unknown) => {
    throw new CommandError(`Error querying encryption: ${errorText(error)}`);
  });
  if (!(await printFormatted(report, flags))) explain(report);
  if (field(report, "healthy") !== true) throw new CommandError("");
}

function explain(report: unknown): void {
  const gossip = field(report, "gossip");
  const key = textField(gossip, "key");
  const sealed = field(gossip, "encrypted") === true;
  const members = listField(gossip, "members");
  const same = members.filter((member) => textField(member, "primary") === key).length;
  const shared = members.length === 0 ? "" : ` on ${same} of ${members.length} members`;
  print(
    sealed
      ? `Gossip: ${textField(gossip, "cipher")}, key ${key}${shared}`
      : `Gossip: not encrypted (${textField(gossip, "cipher")})`,
  );
  const rows = listField(report, "peers").map((peer) => [
    textField(peer, "name"),
    textField(peer, "address"),
    transport(peer),
    verdict(field(peer, "verified")),
    field(peer, "accepts_clear") === true ? "yes" : "no",
    listField(peer, "names").map(String).join(",") || "-",
    textField(peer, "days_left") || "-",
  ]);
  const head = ["Name", "Address", "RPC", "Verified", "Takes clear", "Names", "Days left"];
  print(`\n${formatTable([head, ...rows])}`);
  const todo = listField(report, "todo").map((one) => visible(String(one)));
  if (todo.length === 0) {
    const days = textField(report, "soonest_expiry_days");
    const until = days === "" ? "" : `, and no certificate ends within ${days} days`;
    return print(`\nEverything is encrypted${until}.`);
  }
  print(`\nTo do:\n${todo.map((one) => `  * ${one}`).join("\n")}`);
}

function transport(peer: unknown): string {
  if (field(peer, "reachable") !== true) return "unreachable";
  const version = textField(peer, "tls_version");
  return version === "" ? "clear" : `${version} ${textField(peer, "cipher")}`;
}

function verdict(verified: unknown): string {
  if (verified === null || verified === undefined) return "-";
  return verified === true ? "yes" : "no";
}
