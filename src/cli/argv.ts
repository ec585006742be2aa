/**
 * Go's flags for a parser that knows GNU's: `-flag=value` and `-flag value`, one dash or two, and
 * `-json=true`. Which flags take no value is the parser's own table's to say.
 *
 * @module
 */
import type { Argument, Command } from "commander";
import { CommandError, printError } from "./output.ts";

const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

/** Older spellings that Nomad still knows, and whether it warns of them. */
const OLDER: readonly (readonly [older: string, words: string, warns: boolean])[] = [
  ["client-config", "node config", true],
  ["debug", "operator debug", false],
  ["node-drain", "node drain", false],
  ["node-status", "node status", false],
  ["operator raft _info", "operator raft info", false],
  ["operator raft _logs", "operator raft logs", false],
  ["operator raft _state", "operator raft state", false],
  ["operator snapshot _state", "operator snapshot state", false],
  ["server-force-leave", "server force-leave", true],
  ["server-join", "server join", true],
  ["server-members", "server members", true],
];

/** @throws CommandError for a value that a flag without one cannot have */
export function normaliseArgv(given: readonly string[], program: Command): string[] {
  const argv = modernised(given, program);
  const out: string[] = [];
  let command = program;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") return [...out, ...argv.slice(i)];
    const [, name = "", value] = /^--?([a-z][a-z0-9-]*)(?:=([\s\S]*))?$/i.exec(word) ?? [];
    if (name === "") {
      command = command.commands.find((one) => one.name() === word) ?? command;
      out.push(word);
    } else {
      out.push(...normaliseFlag(name, value, command));
    }
  }
  return out;
}

function modernised(argv: readonly string[], program: Command): readonly string[] {
  const [first = "", ...rest] = argv;
  if (first === "help") {
    const asIs = /^--?man$/.test(rest[0] ?? "") || hasUnknown(rest, program);
    return asIs ? rest : [...rest, "-help"];
  }
  const line = `${argv.join(" ")} `;
  const found = OLDER.find(([older]) => line.startsWith(`${older} `));
  if (found === undefined) return argv;
  const [older, words, warns] = found;
  if (warns) {
    printError(
      `WARNING! The "nomad ${older}" command is deprecated. Please use "nomad ${words}" instead.`,
    );
  }
  return [...words.split(" "), ...argv.slice(older.split(" ").length)];
}

/** There is no help for a command that is not there: without `-help` it is named as unknown. */
function hasUnknown(words: readonly string[], program: Command): boolean {
  let command = program;
  for (const word of words) {
    if (word.startsWith("-") || command.commands.length === 0) return false;
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) return true;
    command = next;
  }
  return false;
}

function normaliseFlag(name: string, value: string | undefined, command: Command): string[] {
  const flag = name.length === 1 ? `-${name}` : `--${name}`;
  if (value === undefined) return [flag];
  if (name === "help" || name === "h") return TRUE.test(value) ? [flag] : [];
  const known = command.options.find(({ short, long }) => flag === long || flag === short);
  // The parser wants a value of a one-letter flag as a word of its own.
  if (known?.isBoolean() !== true) return name.length === 1 ? [flag, value] : [`${flag}=${value}`];
  if (TRUE.test(value)) return [flag];
  if (FALSE.test(value)) return [];
  throw new CommandError(
    `invalid boolean value ${JSON.stringify(value)} for -${name}: it is true or false\n` +
      `For additional help try '${commandPath(command)} -help'`,
  );
}

/** As it is typed: `nomad server members`. */
export function commandPath(command: Command): string {
  const above = command.parent;
  return above === null ? command.name() : `${commandPath(above)} ${command.name()}`;
}

/** As usage texts have it: `<file>`, `[path...]`. */
export function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}
