/** The manual page, made of the table of commands: `nomad help -man`. */
import type { Command, Help } from "commander";
import { VERSION } from "../version.ts";
import { apiCommand } from "./api-command.ts";
import { argumentText, commandPath } from "./argv.ts";

/** Of every command that asks an agent; said once. */
const VARIABLES: readonly (readonly [name: string, text: string])[] = [
  ["NOMAD_ADDR", "where the agent is: http(s)://host:port or unix:///path"],
  ["NOMAD_REGION", "region to ask"],
  ["NOMAD_NAMESPACE", "namespace to ask for"],
  ["NOMAD_TOKEN", "token to send"],
  ["NOMAD_HTTP_AUTH", "user or user:password for HTTP's basic authentication"],
  ["NOMAD_CACERT", "file with the CA that signed the agent's certificate"],
  ["NOMAD_CAPATH", "folder of such files"],
  ["NOMAD_CLIENT_CERT", "certificate to show the agent"],
  ["NOMAD_CLIENT_KEY", "its key"],
  ["NOMAD_TLS_SERVER_NAME", "name to expect in the agent's certificate"],
  ["NOMAD_SKIP_VERIFY", "do not verify the agent's certificate"],
];

/** In roff's man macros. */
export function manPage(program: Command): string {
  const help = program.createHelp();
  const any = apiCommand(program.createCommand("any")).helpOption(false);
  const general = help.visibleOptions(any);
  const shared = new Set(general.map((one) => one.long));
  const lines = [
    `.TH NOMAD 1 "${VERSION.buildDate.slice(0, 10)}" "nomad ${VERSION.agent}" "User Commands"`,
    ".SH NAME",
    `nomad \\- ${escaped(lower(program.description()))}`,
    ".SH SYNOPSIS",
    ".B nomad",
    "[\\-version] [\\-help] <command> [args]",
    ".SH DESCRIPTION",
    "Each command says what it does with \\-help. Flags take one dash or two.",
    "A flag wins over its variable.",
    ".SH GENERAL OPTIONS",
    "Of the commands that ask an agent:",
    ...optionLines(general, help),
    ".SH COMMANDS",
    ...leavesOf(program, help).flatMap((command) => commandLines(command, help, shared)),
    ".SH ENVIRONMENT",
    ...VARIABLES.flatMap(([name, text]) => [".TP", `.B ${name}`, escaped(text)]),
    ".SH EXIT STATUS",
    ...["0 when all is well, 1 for any error, 127 for a command that is not there."],
  ];
  return lines.join("\n");
}

function leavesOf(command: Command, help: Help): readonly Command[] {
  const below = help.visibleCommands(command);
  return below.length === 0 ? [command] : below.flatMap((one) => leavesOf(one, help));
}

function commandLines(
  command: Command,
  help: Help,
  shared: ReadonlySet<string | undefined>,
): readonly string[] {
  const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
  const asks = options.some(({ long }) => long === "--address");
  const own = options.filter(({ long }) => !asks || !shared.has(long));
  const general = asks ? " [general options]" : "";
  const given = command.registeredArguments.map((one) => ` ${argumentText(one)}`);
  const flags = own.length > 0 ? " [options]" : "";
  return [
    `.SS ${escaped(`${commandPath(command)}${general}${flags}${given.join("")}`)}`,
    `${escaped(command.description())}.`,
    ...help.visibleArguments(command).flatMap((one) => {
      return [".TP", `.I ${escaped(help.argumentTerm(one))}`, escaped(one.description)];
    }),
    ...optionLines(own, help),
  ];
}

function optionLines(options: ReturnType<Help["visibleOptions"]>, help: Help): readonly string[] {
  return options.flatMap((one) => {
    const term = help.optionTerm(one).replaceAll(/(^|[\s,])--(?=[a-z])/g, "$1-");
    return [".TP", `.B ${escaped(term)}`, escaped(help.optionDescription(one))];
  });
}

function lower(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`.replace(/\.$/, "");
}

/** Nothing in it is a command of roff's. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}
