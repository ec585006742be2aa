/**
 * `nomad -autocomplete-install` and `-autocomplete-uninstall`: a line in the files that the shells of
 * this user read, as Nomad's own library leaves it there; for fish a file of its own.
 *
 * @module
 */
import { join } from "node:path";
import { makeDirectory, PUBLIC_MODE, writeFileAtomic } from "../host/disk.ts";
import { isThere, modeOf, readText, realPath, remove } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { completeCommand, completionScript } from "./completion-script.ts";
import { CommandError, print } from "./output.ts";

/** One of these bash reads, the first that is there. */
const BASH_FILES = [".bashrc", ".bash_profile", ".bash_login", ".profile"];
const ZSH_FILE = ".zshrc";
const FISH = ".config/fish";
/** zsh knows bash's `complete` after this. */
const BASHCOMPINIT = "autoload -U +X bashcompinit && bashcompinit";

interface Where {
  readonly home: string | undefined;
  /** The executable. */
  readonly program: string;
}

/** @throws CommandError when there is no shell, or a file cannot be written */
export function installCompletion({ home, program }: Where): void {
  const files = filesOf(home);
  const line = completeCommand(quoted(program));
  for (const file of files.bash) addLines(file, [line]);
  for (const file of files.zsh) addLines(file, [BASHCOMPINIT, line]);
  for (const folder of files.fish) {
    attempt(folder, () => {
      makeDirectory(join(folder, "completions"));
      writeFileAtomic(
        fishFile(folder),
        `${completionScript("fish", quoted(program))}\n`,
        PUBLIC_MODE,
      );
      print(`Completion for fish is in ${fishFile(folder)}`);
    });
  }
}

/** What `installCompletion` has added, or Nomad; also of an executable that is elsewhere now. */
export function uninstallCompletion({ home }: Where): void {
  const files = filesOf(home);
  for (const file of [...files.bash, ...files.zsh]) removeLines(file);
  for (const folder of files.fish) {
    const file = fishFile(folder);
    if (!isThere(file)) continue;
    attempt(file, () => remove(file));
    print(`${file} is removed`);
  }
}

interface ShellFiles {
  readonly bash: readonly string[];
  readonly zsh: readonly string[];
  /** Folders. */
  readonly fish: readonly string[];
}

function filesOf(home: string | undefined): ShellFiles {
  if (home === undefined || home === "") {
    throw new CommandError("HOME is not set: there is nothing to look for shells in");
  }
  const there = (name: string): string[] => {
    const path = join(home, name);
    return isThere(path) ? [path] : [];
  };
  const found = {
    bash: BASH_FILES.flatMap(there).slice(0, 1),
    zsh: there(ZSH_FILE),
    fish: there(FISH),
  };
  if (Object.values(found).every((paths) => paths.length === 0)) {
    throw new CommandError(
      `Did not find any shells to install: there is none of ${BASH_FILES.join(", ")}, ` +
        `${ZSH_FILE} and ${FISH} in ${home}\n` +
        "`nomad completion bash|zsh|fish` prints what to put wherever you want it",
    );
  }
  return found;
}

function fishFile(folder: string): string {
  return join(folder, "completions", "nomad.fish");
}

/** Those that are not there yet, behind all that is. */
function addLines(file: string, lines: readonly string[]): void {
  attempt(file, () => {
    const text = readText(file);
    const known = text.split("\n").map((one) => one.trim());
    const added = lines.filter((one) => !known.includes(one));
    if (!added.some(isOurs)) return print(`Completion is already installed in ${file}`);
    const start = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    write(file, `${start}${added.join("\n")}\n`);
    print(`Completion is installed in ${file}; a new shell has it`);
  });
}

function removeLines(file: string): void {
  attempt(file, () => {
    const text = readText(file);
    const lines = text.split("\n");
    const kept = lines.filter((one) => !isOurs(one));
    if (kept.length === lines.length) return;
    write(file, kept.join("\n"));
    print(`Completion is no longer installed in ${file}`);
  });
}

/** It asks a program for completions of "nomad". What zsh needs for it others may need, too. */
function isOurs(line: string): boolean {
  return /^\s*complete(?:\s+-o\s+\w+)*\s+-C\s+\S.*\snomad\s*$/.test(line);
}

/** Where it leads to, if it is a link: a link stays one. */
function write(file: string, text: string): void {
  const path = realPath(file);
  writeFileAtomic(path, text, modeOf(path));
}

function attempt(file: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    throw new CommandError(`cannot change ${file}: ${describeErrno(error)}`);
  }
}

/** A path with a space is one word of a shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
