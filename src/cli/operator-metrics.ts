/** `nomad operator metrics`: what /v1/metrics says. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { parseAnswer } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface MetricsFlags extends ApiFlags, FormatFlags {
  readonly format?: string;
  readonly pretty?: boolean;
}

export async function operatorMetrics(flags: MetricsFlags): Promise<void> {
  const { format, json = false, pretty = false, t } = flags;
  checkFormat(flags);
  if (format !== undefined && format !== "json" && format !== "prometheus") {
    throw new CommandError(`-format must be json or prometheus, found '${format}'`);
  }
  if (format === "prometheus" && (json || t !== undefined)) {
    throw new CommandError("Either -json, -t or -format=prometheus: one of them");
  }
  const client = new ApiClient(flags, process.env);
  const query = new URLSearchParams();
  if (pretty) query.set("pretty", "1");
  if (format === "prometheus") query.set("format", format);
  const path = query.size === 0 ? PATHS.metrics : `${PATHS.metrics}?${query}`;
  const { body } = await client.ok("GET", path).catch((error: unknown) => {
    throw new CommandError(`Error getting metrics: ${errorText(error)}`);
  });
  const isFormatted = json || t !== undefined;
  if (!isFormatted) return print(body.trimEnd());
  await printFormatted(parseAnswer(body, `${client.addressText}${path}`), flags);
}
