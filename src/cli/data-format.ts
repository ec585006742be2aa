/**
 * `-json` and `-t`: answers for programs, and in the form that a Go template gives them. The
 * template sees the JSON of the answer, as Nomad's sees what it was made of.
 *
 * @module
 */
import type { Command } from "commander";
import { CommandError, print } from "./output.ts";

export interface FormatFlags {
  readonly json?: boolean;
  readonly t?: string;
}

/** Of every command that shows what an agent has answered. */
export function formatted(command: Command): Command {
  return command
    .option("--json", "output as JSON")
    .option("-t <template>", "output by a Go template");
}

/** @throws CommandError for both at once: before anything is asked */
export function checkFormat({ json, t }: FormatFlags): void {
  if (json !== true || t === undefined) return;
  throw new CommandError("Both json and template formatting are not allowed");
}

/** @returns false: neither is asked for. @throws CommandError for a template with a mistake */
export async function printFormatted(value: unknown, flags: FormatFlags): Promise<boolean> {
  checkFormat(flags);
  if (flags.t !== undefined) {
    const { renderTemplate } = await import("./template-output.ts");
    print(renderTemplate(flags.t, value));
    return true;
  }
  if (flags.json === true) print(JSON.stringify(value, null, 4));
  return flags.json === true;
}
