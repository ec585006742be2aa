/**
 * What a shell may put in for a word that is not finished yet, out of the table of commands:
 * subcommands, flags, values of flags, and of some arguments what there is. The shell asks as bash
 * does for `complete -C`: the line is in COMP_LINE, the cursor in COMP_POINT.
 *
 * @module
 */
import type { Command, Help, Option } from "commander";
import { PATHS } from "../paths.ts";
import { commandPath } from "./argv.ts";

/** What is being typed, after the table has been asked. */
export type Wanted =
  | { readonly kind: "words"; readonly words: readonly string[] }
  /** An argument of this name: an id, a file. */
  | { readonly kind: "argument"; readonly name: string; readonly prefix: string };

/** Of events. */
export const TOPICS = ["ACLPolicy", "ACLRole", "ACLToken", "Agent", "Node", "NodePool"];

/** Values that a flag can have, by its name; of all others only the operator knows them. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "--log-level": ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"],
  "--format": ["json", "prometheus"],
  "--event-topic": ["all", "none", ...TOPICS],
  "--out": ["hcl", "json"],
  "--topic": TOPICS,
  "--type": ["client", "management"],
  "--bytes": ["16", "24", "32"],
  "-X": ["GET", "PUT", "POST", "DELETE"],
};

/** Of the HTTP API; one with a name in it as far as that is known. */
const API_PATHS: readonly string[] = [
  ...new Set(Object.values(PATHS).map((path) => path.replace(/:.*/, ""))),
];

/** Flags whose value is one of an argument's kind. */
const LIKE_ARGUMENTS: Readonly<Record<string, string>> = {
  "--namespace": "namespace",
  "--node-id": "id",
  "--node-pool": "node-pool",
  "--server-id": "node",
};

/**
 * The words of a command line as a shell parts them, as far as that matters here: the last one is
 * what is being typed, and may be empty.
 */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  let [word, quote, begun] = ["", "", false];
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    if (quote !== "" && char === quote) quote = "";
    else if (char === "\\" && quote !== "'") {
      at += 1;
      word += line[at] ?? "";
    } else if (quote !== "") word += char;
    else if (char === '"' || char === "'") [quote, begun] = [char, true];
    else if (/\s/.test(char)) {
      if (word !== "" || begun) words.push(word);
      [word, begun] = ["", false];
    } else word += char;
  }
  return [...words, word];
}

/** @param words behind the program's name; the last one is being typed */
export function wantedAt(program: Command, words: readonly string[]): Wanted {
  const help = program.createHelp();
  let command = program;
  let given = 0;
  for (let at = 0; at < words.length - 1; at++) {
    const word = words[at] ?? "";
    const option = flagOf(command, word);
    const isLast = at === words.length - 2;
    if (option !== undefined && takesValue(option) && !word.includes("=")) {
      if (isLast) return flagValue(option, words.at(-1) ?? "", "");
      at += 1;
    } else if (!word.startsWith("-")) {
      const below = command.commands.find((one) => one.name() === word);
      if (below === undefined) given += 1;
      command = below ?? command;
    }
  }
  return lastOf(command, help, words.at(-1) ?? "", given);
}

function lastOf(command: Command, help: Help, word: string, given: number): Wanted {
  if (word.startsWith("-")) {
    const equals = word.indexOf("=");
    const option = equals < 0 ? undefined : flagOf(command, word);
    if (option !== undefined) {
      return flagValue(option, word.slice(equals + 1), word.slice(0, equals + 1));
    }
    return startingWith(word.replace(/^--(?=.)/, "-"), flagsOf(command, help));
  }
  const below = help.visibleCommands(command).map((one) => one.name());
  if (below.length > 0) return startingWith(word, given === 0 ? below : []);
  const { registeredArguments } = command;
  const argument = registeredArguments[given] ?? registeredArguments.at(-1);
  const isOver = given >= registeredArguments.length && argument?.variadic !== true;
  if (argument === undefined || isOver) return startingWith(word, []);
  if (commandPath(command) === "nomad operator api") return startingWith(word, API_PATHS);
  return { kind: "argument", name: argument.name(), prefix: word };
}

function flagValue(option: Option, prefix: string, before: string): Wanted {
  const name = option.long ?? option.short ?? "";
  const like = LIKE_ARGUMENTS[name];
  if (like !== undefined && before === "") return { kind: "argument", name: like, prefix };
  const whole = (VALUES[name] ?? []).map((value) => `${before}${value}`);
  return startingWith(`${before}${prefix}`, whole);
}

function startingWith(prefix: string, words: readonly string[]): Wanted {
  return { kind: "words", words: words.filter((one) => one.startsWith(prefix)).sort() };
}

/** With one dash, as they are shown in the help. */
function flagsOf(command: Command, help: Help): readonly string[] {
  return help.visibleOptions(command).flatMap(({ long, short }) => {
    const name = long ?? short;
    return name === undefined ? [] : [name.replace(/^--/, "-")];
  });
}

function flagOf(command: Command, word: string): Option | undefined {
  const [, name] = /^--?([^=]+)/.exec(word) ?? [];
  if (name === undefined) return undefined;
  return command.options.find(({ long, short }) => long === `--${name}` || short === `-${name}`);
}

function takesValue(option: Option): boolean {
  return !option.isBoolean() && !option.optional;
}
