/** Completion: what the table of commands offers, what real shells make of it, and their files. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandPath, normaliseArgv } from "../../src/cli/argv.ts";
import { installCompletion, uninstallCompletion } from "../../src/cli/autocomplete-install.ts";
import { type Wanted, wantedAt, wordsOf } from "../../src/cli/completion.ts";
import { completeCommand, completionScript } from "../../src/cli/completion-script.ts";
import { manPage } from "../../src/cli/man-page.ts";
import { createProgram, everyCommand } from "../../src/cli/program.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function wanted(line: string): Wanted {
  const [, ...words] = wordsOf(line);
  return wantedAt(createProgram(), words);
}

function offered(line: string): readonly string[] {
  const found = wanted(line);
  return found.kind === "words" ? found.words : [`<${found.name}>`];
}

describe("of a line are offered", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["nomad ser", ["server"]],
    ["nomad server ", ["force-leave", "join", "members"]],
    ["nomad operator gossip keyring r", ["remove", "rotate"]],
    ["nomad no-such-group ", []],
    ["nomad server members -j", ["-json"]],
    ["nomad server members --j", ["-json"]],
    ["nomad server members -insec", []],
    ["nomad server members -json -ver", ["-verbose"]],
    ["nomad monitor -log-level ", ["DEBUG", "ERROR", "INFO", "OFF", "TRACE", "WARN"]],
    ["nomad monitor -log-level=DE", ["-log-level=DEBUG"]],
    ["nomad monitor -node-id ab", ["<id>"]],
    ["nomad monitor -server-id s", ["<node>"]],
    ["nomad node status -address http://x ab", ["<id>"]],
    ["nomad node status -json ab", ["<id>"]],
    ["nomad node status abc ", []],
    ["nomad node pool info ", ["<node-pool>"]],
    ["nomad server force-leave ", ["<node>"]],
    ["nomad config validate a.hcl b", ["<paths>"]],
    ["nomad operator api /v1/node/p", ["/v1/node/pool/", "/v1/node/pools"]],
    ["nomad event stream -topic Node", ["Node", "NodePool"]],
    ["nomad server members -address ", []],
    ['nomad server "mem', ["members"]],
    ["nomad -auto", ["-autocomplete-install", "-autocomplete-uninstall"]],
  ];
  for (const [line, words] of cases) {
    test(line, () => expect(offered(line)).toEqual([...words]));
  }
});

test("older spellings are today's commands", () => {
  const program = createProgram();
  const cases: readonly (readonly [string, string])[] = [
    ["node-drain -enable x", "node drain --enable x"],
    ["debug -duration=1s", "operator debug --duration=1s"],
    ["operator raft _info /x", "operator raft info /x"],
    ["operator snapshot _state f", "operator snapshot state f"],
    ["help server members", "server members --help"],
    ["server members", "server members"],
  ];
  for (const [given, wanted] of cases) {
    expect(normaliseArgv(given.split(" "), program)).toEqual(wanted.split(" "));
  }
  expect(normaliseArgv([], program)).toEqual([]);
});

test("what has -json for programs has -t, too", () => {
  const lacking = everyCommand(createProgram()).filter(({ options }) => {
    const flags = options.map(({ long, short }) => long ?? short);
    const isAnswer = options.some((one) => one.description === "output as JSON");
    return isAnswer && flags.includes("--address") && !flags.includes("-t");
  });
  expect(lacking.map(commandPath)).toEqual([]);
});

/** Asks the program from sources, as a shell does: in place of the binary. */
const wrapper = join(directory, "nomad");
writeFileSync(
  wrapper,
  `#!/bin/sh\nexec ${process.execPath} ${new URL("../../src/main.ts", import.meta.url).pathname} "$@"\n`,
  { mode: 0o755 },
);

function inShell(shell: string, args: readonly string[]): string {
  const env = {
    PATH: process.env["PATH"],
    HOME: directory,
    TERM: "dumb",
    NOMAD_ADDR: "http://127.0.0.1:1",
  };
  const { stdout, stderr } = Bun.spawnSync([shell, ...args], { env, stdin: "ignore" });
  return `${stdout.toString()}${stderr.toString()}`.trim();
}

test("bash completes by it", () => {
  // What readline does with a line, without a terminal: it asks the command of `complete -p`.
  const ask = (line: string): string => {
    const [, ...words] = wordsOf(line);
    const script = [
      completionScript("bash", wrapper),
      "eval set -- $(complete -p nomad)",
      'while [ "$1" != -C ]; do shift; done',
      `COMP_LINE='${line}' COMP_POINT=${line.length} "$2" nomad '${words.at(-1)}' x`,
    ];
    return inShell("bash", ["-c", script.join("\n")]);
  };
  expect(ask("nomad server me")).toBe("members");
  expect(ask("nomad operator ").split("\n")).toContain("snapshot");
  expect(ask("nomad node status ab")).toBe("");
});

test.if(Bun.which("zsh") !== null)("zsh completes by it", () => {
  const script = [
    "autoload -U +X compinit && compinit -u -D",
    completionScript("zsh", wrapper),
    "compadd() { shift; print -l -- $@ }",
    "_files() { print files }",
    "words=(nomad server '') CURRENT=3; _nomad",
    "words=(nomad node status ab) CURRENT=4; _nomad",
    "print $_comps[nomad]",
  ];
  expect(inShell("zsh", ["-f", "-c", script.join("\n")]).split("\n")).toEqual([
    ...["force-leave", "join", "members", "files", "_nomad"],
  ]);
});

test.if(Bun.which("fish") !== null)("fish completes by it", () => {
  const script = `${completionScript("fish", wrapper)}\ncomplete -C 'nomad server '`;
  expect(inShell("fish", ["-N", "-c", script]).split("\n").sort()).toEqual([
    ...["force-leave", "join", "members"],
  ]);
});

test("an unknown shell is named", () => {
  expect(() => completionScript("tcsh")).toThrow("there is no completion for 'tcsh'");
});

describe("-autocomplete-install", () => {
  const home = join(directory, "home");
  const program = "/opt/my tools/nomad";
  const rc = join(home, ".bashrc");
  const read = (name: string): string => readFileSync(join(home, name), "utf8");

  test("adds a line to what the shells read, once, and takes it away again", () => {
    mkdirSync(join(home, ".config/fish"), { recursive: true });
    mkdirSync(join(home, "dotfiles"));
    writeFileSync(join(home, "dotfiles/bashrc"), "alias ll='ls -l'", { mode: 0o640 });
    symlinkSync("dotfiles/bashrc", rc);
    writeFileSync(join(home, ".zshrc"), "");
    writeFileSync(join(home, ".profile"), "untouched\n");
    installCompletion({ home, program });
    installCompletion({ home, program });
    const line = completeCommand("'/opt/my tools/nomad'");
    expect(read(".bashrc")).toBe(`alias ll='ls -l'\n${line}\n`);
    expect(realpathSync(rc)).toBe(realpathSync(join(home, "dotfiles/bashrc")));
    expect(statSync(rc).mode & 0o777).toBe(0o640);
    expect(read(".zshrc")).toBe(`autoload -U +X bashcompinit && bashcompinit\n${line}\n`);
    expect(read(".config/fish/completions/nomad.fish")).toContain("complete -f -c nomad");
    expect(read(".profile")).toBe("untouched\n");
    writeFileSync(rc, `${read(".bashrc")}complete -C /usr/bin/nomad nomad\n`);
    uninstallCompletion({ home, program });
    expect(read(".bashrc")).toBe("alias ll='ls -l'\n");
    expect(read(".zshrc")).not.toContain("complete -o");
    expect(Bun.file(join(home, ".config/fish/completions/nomad.fish")).size).toBe(0);
  });

  test("without a shell it says so", () => {
    const empty = join(directory, "empty");
    mkdirSync(empty);
    expect(() => installCompletion({ home: empty, program })).toThrow("Did not find any shells");
    expect(() => installCompletion({ home: "", program })).toThrow("HOME is not set");
  });
});

test("the manual page has every command, and no line that roff takes for its own", () => {
  const page = manPage(createProgram());
  const sections = page.split("\n").filter((line) => line.startsWith(".SS "));
  expect(sections.length).toBeGreaterThan(40);
  expect(page).toContain(".SS nomad operator api [general options] [options] <path>");
  for (const line of page.split("\n").filter((one) => one.startsWith("."))) {
    expect(line).toMatch(/^\.(TH|SH|SS|TP|B|I)( |$)/);
  }
});
