/** `nomad operator root keyring …`: the keys by which servers sign who a client node is. */
import { errorText } from "../host/error-text.ts";
import { PATHS, pathTo } from "../paths.ts";
import { nanosOf, parseDurationMs } from "../wire/duration.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, parseAnswer, textField } from "./json-read.ts";
import { shownId } from "./node-table.ts";
import { CommandError, print } from "./output.ts";
import { timeText } from "./time-text.ts";

interface ListFlags extends ApiFlags, FormatFlags {
  readonly verbose?: boolean;
}

interface RotateFlags extends ApiFlags {
  readonly full?: boolean;
  readonly now?: boolean;
  readonly prepublish?: string;
  readonly verbose?: boolean;
}

export async function keyringList(flags: ListFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const keys = await client.get(PATHS.signingKeys).catch((error: unknown) => {
    throw new CommandError(`error: ${errorText(error)}`);
  });
  if (await printFormatted(keys, flags)) return;
  print(keyTable(Array.isArray(keys) ? keys : [], flags));
}

export async function keyringRotate(flags: RotateFlags): Promise<void> {
  const { full = false, now = false, prepublish } = flags;
  if (now === (prepublish !== undefined)) {
    throw new CommandError("One of -now or -prepublish must be used");
  }
  if (full && !now) throw new CommandError("-full cannot be used with -prepublish");
  const query = new URLSearchParams(full ? { full: "true" } : {});
  if (prepublish !== undefined) {
    const waitMs = parseDurationMs(prepublish);
    if (waitMs === undefined || waitMs <= 0) {
      throw new CommandError(`-prepublish must be a duration, as 1h, found '${prepublish}'`);
    }
    query.set("publish_time", String(nanosOf(Date.now() + waitMs)));
  }
  const client = new ApiClient(flags, process.env);
  const path = `${PATHS.signingKeyRotate}${query.size === 0 ? "" : `?${query}`}`;
  const { body } = await client.ok("PUT", path).catch((error: unknown) => {
    throw new CommandError(`error: ${errorText(error)}`);
  });
  print(keyTable([field(parseAnswer(body, client.addressText), "Key")], flags));
}

export async function keyringRemove(
  id: string,
  flags: ApiFlags & { readonly force?: boolean },
): Promise<void> {
  const force = flags.force === true ? "?force=true" : "";
  const client = new ApiClient(flags, process.env);
  const path = `${pathTo(PATHS.signingKey, { id })}${force}`;
  await client.ok("DELETE", path).catch((error: unknown) => {
    throw new CommandError(`error: ${errorText(error)}`);
  });
  print(`Removed encryption key ${id}`);
}

function keyTable(keys: readonly unknown[], { verbose }: { readonly verbose?: boolean }): string {
  const rows = keys.map((key) => {
    const publish = Number(field(key, "PublishTime") ?? 0);
    return [
      shownId(textField(key, "KeyID"), verbose),
      textField(key, "State"),
      timeText(Number(field(key, "CreateTime") ?? 0) / 1e6),
      publish === 0 ? "" : timeText(publish / 1e6),
    ];
  });
  return formatTable([["Key", "State", "Create Time", "Publish Time"], ...rows]);
}
