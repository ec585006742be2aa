/** `nomad operator gossip keyring`: list, install, use, remove, and a rotation in one command. */
import { errorText } from "../host/error-text.ts";
import { ApiClient, type ApiFlags } from "./api-client.ts";
import { formatTable } from "./columns.ts";
import { field, listField, textField } from "./json-read.ts";
import { makeKeyText } from "./keygen.ts";
import { CommandError, print } from "./output.ts";

export interface ListFlags extends ApiFlags {
  readonly json?: boolean;
  readonly showKeys?: boolean;
}

const PATH = "/v1/agent/keyring";
const ROTATED_KEY_BYTES = 32;

export async function listKeys(flags: ListFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  if (flags.json !== true) print("Gathering installed encryption keys...");
  if (flags.showKeys === true) {
    const answer = await client.get(`${PATH}/list`).catch(asError);
    const keys = Object.entries(Object(field(answer, "Keys")));
    if (flags.json === true) print(JSON.stringify(answer, null, 4));
    else
      print(formatTable([["Key", "Nodes"], ...keys.map(([key, nodes]) => [key, String(nodes)])]));
    return;
  }
  const answer = await client.get(`${PATH}/list?fingerprints=true`).catch(asError);
  if (flags.json === true) {
    print(JSON.stringify(answer, null, 4));
    return;
  }
  const total = textField(answer, "NumNodes");
  const rows = listField(answer, "Keys").map((key) => {
    const [nodes, primary] = [textField(key, "Nodes"), textField(key, "PrimaryOn")];
    const removable = primary === "0" ? "yes" : "no, it is in use";
    return [
      textField(key, "Fingerprint"),
      `AES-${textField(key, "Bits")}`,
      `${nodes}/${total}`,
      `${primary}/${total}`,
      removable,
    ];
  });
  print(
    formatTable([["Fingerprint", "Cipher", "Installed", "Primary", "Safe to remove"], ...rows]),
  );
}

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
  print(SAYS[operation]);
  await change(new ApiClient(flags, process.env), operation, key);
}

/**
 * A new key everywhere, then in use, then the old ones gone. Each step is checked on every member
 * before the next, and a rotation that was cut short is finished by running it again.
 */
export async function rotateKeys(flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const before = Object.keys(
    Object(field(await client.get(`${PATH}/list`).catch(asError), "Keys")),
  );
  const key = makeKeyText(ROTATED_KEY_BYTES);
  print(`==> Installing a new key on every member...`);
  await change(client, "install", key);
  print("==> Making it the primary...");
  await change(client, "use", key);
  for (const old of before) {
    print("==> Removing an old key...");
    await change(client, "remove", old);
  }
  const after = await client.get(`${PATH}/list?fingerprints=true`).catch(asError);
  const [only] = listField(after, "Keys");
  const nodes = textField(after, "NumNodes");
  print(`==> Rotated: key ${textField(only, "Fingerprint")} is primary on all ${nodes} members`);
  print(
    "    Put the new key into server.encrypt too: `nomad operator gossip keyring list -show-keys`",
  );
}

async function change(client: ApiClient, operation: string, key: string): Promise<void> {
  const body = JSON.stringify({ Key: key });
  const answer = await client.send("PUT", `${PATH}/${operation}`, body);
  if (answer.status !== 200) {
    throw new CommandError(`error: Unexpected response code: ${answer.status} (${answer.body})`);
  }
}

function asError(error: unknown): never {
  throw new CommandError(`error: ${errorText(error)}`);
}
