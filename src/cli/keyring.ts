/** `nomad operator gossip keyring`: list, install, use, remove, and a rotation in one command. */

import { errorText } from "../host/error-text.ts";
import { readText, STDIN } from "../host/files.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { byFingerprint, tellsPrimary } from "./key-list.ts";
import { makeKeyText } from "./keygen.ts";
import { CommandError, print } from "./output.ts";

interface ListFlags extends ApiFlags, FormatFlags {
  readonly showKeys?: boolean;
}

const ROTATED_KEY_BYTES = 32;
const NO_KEYS =
  "Where gossip is not encrypted there are no keys to change: set server.encrypt to the output of " +
  "`nomad keygen`, on every server, and restart it";

export async function listKeys(flags: ListFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  if (flags.json !== true && flags.t === undefined) print("Gathering installed encryption keys...");
  if (flags.showKeys === true) {
    const answer = await client.get(PATHS.keyringList).catch(asError);
    const keys = Object.entries(Object(field(answer, "Keys")));
    if (await printFormatted(answer, flags)) return;
    const rows = keys.map(([key, nodes]) => [key, String(nodes)]);
    return print(formatTable([["Key", "Nodes"], ...rows]));
  }
  const answer = byFingerprint(
    await client.get(`${PATHS.keyringList}?fingerprints=true`).catch(asError),
  );
  if (await printFormatted(answer, flags)) return;
  const total = textField(answer, "NumNodes");
  const keys = listField(answer, "Keys");
  const rows = keys.map((key) => {
    const [nodes, primary] = [textField(key, "Nodes"), textField(key, "PrimaryOn")];
    const cells = [textField(key, "Fingerprint"), `AES-${textField(key, "Bits")}`];
    cells.push(`${nodes}/${total}`);
    if (!tellsPrimary(key)) return cells;
    return [...cells, `${primary}/${total}`, primary === "0" ? "yes" : "no, it is in use"];
  });
  const head = ["Fingerprint", "Cipher", "Installed"];
  if (keys.every(tellsPrimary)) head.push("Primary", "Safe to remove");
  print(formatTable([head, ...rows]));
}

const CHANGES = {
  install: PATHS.keyringInstall,
  use: PATHS.keyringUse,
  remove: PATHS.keyringRemove,
} as const;

const SAYS = {
  install: "Installing new gossip encryption key...",
  use: "Changing primary gossip encryption key...",
  remove: "Removing gossip encryption key...",
} as const;

export async function changeKey(
  operation: keyof typeof SAYS,
  key: string,
  flags: ApiFlags,
): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const text = key === "-" ? readText(STDIN).trim() : key;
  print(SAYS[operation]);
  await change(client, operation, text);
}

/**
 * A new key everywhere, then in use, then the old ones gone. Each step is done on every member that
 * answers before the next, and a rotation that was cut short is finished by running it again.
 */
export async function rotateKeys(flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const failed = await failedMembers(client);
  const known = await client.get(PATHS.keyringList).catch((error: unknown) => {
    if (isInClear(errorText(error))) return asError(error);
    const waits = "`nomad server members` shows it as failed";
    return stopped(
      error,
      `Nothing was changed. A server that has just died is left out as soon as ${waits}`,
    );
  });
  const before = Object.keys(Object(field(known, "Keys")));
  print(`==> ${textField(known, "NumNodes")} members answer and get the new key`);
  for (const name of failed) print(`    ${name} has failed and is left out`);
  const key = makeKeyText(ROTATED_KEY_BYTES);
  const step = async (says: string, how: () => Promise<void>, ifNot: string): Promise<void> => {
    print(`==> ${says}...`);
    await how().catch((error: unknown) => stopped(error, ifNot));
  };
  await step(
    "Installing a new key on every member",
    () => change(client, "install", key),
    "Some members have the new key and none uses it, so all can still talk",
  );
  await step(
    "Making it the primary",
    () => change(client, "use", key),
    "All members have the new key and some use it, so all can still talk",
  );
  for (const old of before) {
    await step(
      "Removing an old key",
      () => change(client, "remove", old),
      "The new key is in use everywhere, and an old one is still installed on some members",
    );
  }
  const after = await client
    .get(`${PATHS.keyringList}?fingerprints=true`)
    .catch((error: unknown) => {
      return stopped(error, "The rotation was done, but not everybody answers now");
    });
  rotated(byFingerprint(after), failed);
}

function rotated(after: unknown, failed: readonly string[]): void {
  const keys = listField(after, "Keys");
  const nodes = textField(after, "NumNodes");
  const [only] = keys;
  const isPrimary = !tellsPrimary(only) || textField(only, "PrimaryOn") === nodes;
  if (keys.length !== 1 || textField(only, "Nodes") !== nodes || !isPrimary) {
    const what = "more than one key is installed, or not all members use the same one";
    stopped(new Error(what), "Somebody else may have changed the keys meanwhile");
  }
  print(`==> Rotated: key ${textField(only, "Fingerprint")} is primary on all ${nodes} members`);
  const show = "`nomad operator gossip keyring list -show-keys`";
  print(`    Put the new key into server.encrypt too: ${show}`);
  for (const name of failed) {
    print(
      `    ${name} has only old keys, which nobody else takes any more: before you start it, put the ` +
        "new key into its server.encrypt and remove server/serf.keyring from its data_dir",
    );
  }
}

/** Members that gossip holds for failed: they cannot answer, and nobody waits for them. */
async function failedMembers(client: ApiClient): Promise<readonly string[]> {
  const answer = await client.get(PATHS.agentMembers).catch(asError);
  return listField(answer, "Members")
    .filter((member) => textField(member, "Status") === "failed")
    .map((member) => textField(member, "Name"));
}

function stopped(error: unknown, where: string): never {
  throw new CommandError(
    `error: ${errorText(error).replace(/^error: /, "")}\n` +
      `The rotation stopped here. ${where}. ` +
      "Mend what is named above, then run `nomad operator gossip keyring rotate` again: it removes " +
      "what this one has left.",
  );
}

async function change(
  client: ApiClient,
  operation: keyof typeof CHANGES,
  key: string,
): Promise<void> {
  // A key is longer: this is the fingerprint of one that they have, as the list shows it.
  const isFingerprint = /^[\da-f]{16}$/.test(key);
  const body = JSON.stringify(isFingerprint ? { Fingerprint: key } : { Key: key });
  await client.ok("PUT", CHANGES[operation], { body }).catch(asError);
}

function asError(error: unknown): never {
  const text = errorText(error);
  throw new CommandError(`error: ${text}${isInClear(text) ? `\n${NO_KEYS}` : ""}`);
}

/** The words of Serf's members. */
function isInClear(text: string): boolean {
  return text.includes("encryption not enabled");
}
