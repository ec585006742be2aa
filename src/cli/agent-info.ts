/** `nomad agent-info`: the agent's own numbers, in groups. */
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { type FormatFlags, printFormatted } from "./data-format.ts";
import { field } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

export async function agentInfo(flags: ApiFlags & FormatFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const self = await client.get(PATHS.agentSelf).catch((error: unknown) => {
    const text = errorText(error);
    throw new CommandError(`Error querying agent info: failed querying self endpoint: ${text}`);
  });
  // Templates have Go's names of the fields, which are others than JSON's here.
  const [Config, Member, Stats] = ["config", "member", "stats"].map((one) => field(self, one));
  const named = isObject(self) ? { ...self, Config, Member, Stats } : self;
  if (await printFormatted(flags.t === undefined ? self : named, flags)) return;
  const stats = field(self, "stats");
  if (!isObject(stats)) return;
  for (const [group, values] of Object.entries(stats).sort(byName)) {
    const lines = isObject(values) ? Object.entries(values).sort(byName) : [];
    print([group, ...lines.map(([name, value]) => `  ${name} = ${value}`)].join("\n"));
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
