/** `nomad system`: upkeep of the state that servers share. Silent when it is done, as Nomad's. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError } from "./output.ts";

/** What is down is taken out of the list of nodes. */
export async function collectGarbage(flags: ApiFlags): Promise<void> {
  await put(PATHS.systemGc, "Error running system garbage-collection", flags);
}

/** Without jobs there are no summaries of them: nothing is to be done. */
export async function reconcileSummaries(flags: ApiFlags): Promise<void> {
  await put(PATHS.systemSummaries, "Error running system summary reconciliation", flags);
}

async function put(path: string, failure: string, flags: ApiFlags): Promise<void> {
  await new ApiClient(flags, process.env).ok("PUT", path).catch((error: unknown) => {
    throw new CommandError(`${failure}: ${errorText(error)}`);
  });
}
