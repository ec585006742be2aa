/** Every command of the compiled binary: help, typing mistakes, and what it says when nobody answers. */
import { describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { isAbsent } from "../../src/cli/absent-commands.ts";
import { commandPath, normaliseArgv } from "../../src/cli/argv.ts";
import { createProgram, everyCommand } from "../../src/cli/program.ts";
import { run } from "./agents.ts";

const program = createProgram();
const all = everyCommand(program).filter(
  (command) => command.parent !== null && !isAbsent(command),
);
const leaves = all.filter((command) => command.commands.length === 0);
const groups = all.filter((command) => command.commands.length > 0);

/** An argument that gets a command as far as asking somebody. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  key: Buffer.alloc(16, 3).toString("base64"),
  address: "127.0.0.1",
  node: "a.global",
  path: "/v1/regions",
  file: "/dev/null",
  input: new URL("../../package.json", import.meta.url).pathname,
};

function wordsOf(command: Command): readonly string[] {
  return commandPath(command).split(" ").slice(1);
}

function required(command: Command): readonly string[] {
  return command.registeredArguments
    .filter((one) => one.required)
    .map((one) => ARGUMENTS[one.name()] ?? one.name());
}

function optionsOf(command: Command, isBoolean: boolean): readonly string[] {
  return command.options
    .filter((one) => one.isBoolean() === isBoolean && one.long !== undefined)
    .map((one) => (one.long ?? "").replace("--", "-"));
}

test("the table is Nomad's, and ours", () => {
  const names = leaves.map((one) => wordsOf(one).join(" "));
  for (const name of ["server join", "server force-leave", "operator api", "operator metrics"]) {
    expect(names).toContain(name);
  }
  expect(names.length).toBeGreaterThan(30);
});

for (const command of leaves) {
  const words = wordsOf(command);
  describe(words.join(" "), () => {
    test("-h is its help, and no mistake", async () => {
      const { code, out, err } = await run([...words, "-h"]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toStartWith(`Usage: ${commandPath(command)} `);
      expect(out).not.toMatch(/(^|\s)--[a-z]/m);
    });

    test("an unknown flag is named, and where to look", async () => {
      const { code, out, err } = await run([...words, "-no-such-flag"]);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toBe(
        `Unknown flag '-no-such-flag'.\nFor additional help try '${commandPath(command)} -help'\n`,
      );
    });

    test("one argument too many, or too few, is said", async () => {
      const { registeredArguments } = command;
      if (registeredArguments.every((one) => !one.variadic)) {
        const words = [...wordsOf(command), ...registeredArguments.map(() => "x"), "y"];
        const { code, err } = await run(words);
        expect(code).toBe(1);
        expect(err).toMatch(/^This command takes (no arguments|(one argument|\d arguments): [<[])/);
      }
      if (required(command).length > 0) {
        const { code, out, err } = await run(words);
        expect([code, out]).toEqual([1, ""]);
        expect(err).toMatch(/^(This command takes|A path or URL|One or more node addresses)/);
      }
    });

    test("flags without a value take =true and =false, and nothing else", async () => {
      for (const flag of optionsOf(command, true)) {
        const given = (value: string): string[] => {
          return normaliseArgv([...words, `${flag}=${value}`], program);
        };
        expect(given("true")).toEqual([...words, `-${flag}`]);
        expect(given("0")).toEqual([...words]);
        expect(() => given("maybe")).toThrow(`invalid boolean value "maybe" for ${flag}`);
      }
    });

    test("an empty value is a mistake", async () => {
      for (const flag of ["-region", "-node", "-address"]) {
        if (!optionsOf(command, false).includes(flag)) continue;
        const { code, out, err } = await run([...words, ...required(command), `${flag}=`]);
        expect([code, out]).toEqual([1, ""]);
        expect(err).toStartWith(`${flag} is empty: give it a value, or leave it out\n`);
      }
    });

    if (!optionsOf(command, false).includes("-address") || words[1] === "snapshot") return;
    test("nobody there: one sentence, and what to do", async () => {
      const address = "-address=http://127.0.0.1:9";
      const { code, err } = await run([...words, address, ...more(words), ...required(command)]);
      expect(code).toBe(1);
      const [sentence, hint] = err.trim().split("\n");
      expect(sentence).toMatch(
        /: (Get|Post|Put|Delete) "http:\/\/127\.0\.0\.1:9.*connection refused$/,
      );
      expect(hint).toStartWith("Is the agent running there?");
    });
  });
}

const OF_ACLS: Readonly<Record<string, readonly string[]>> = {
  "role create": ["-name=x", "-policy=x"],
  "token self": ["-token=5ec4e700-0000-4000-8000-0000000000c1"],
};

/** What some commands cannot do without. */
function more(words: readonly string[]): readonly string[] {
  const [, group, name] = words;
  const ofNodes: Readonly<Record<string, readonly string[]>> = {
    config: ["-servers"],
    drain: ["-enable", "3f1c"],
    eligibility: ["-enable", "3f1c"],
  };
  if (words[0] === "namespace") return group === "apply" ? ["-json"] : [];
  if (words[1] === "pool") return name === "apply" ? ["-json"] : [];
  if (words[0] === "node") return name === "apply" ? ["a=b"] : (ofNodes[group ?? ""] ?? []);
  if (words[0] === "acl") return OF_ACLS[words.slice(1).join(" ")] ?? [];
  if (group === "root") return words[3] === "rotate" ? ["-now"] : [];
  return group === "raft" && name !== "list-peers" ? ["-peer-id=x"] : [];
}

for (const command of groups) {
  test(`${wordsOf(command).join(" ")}: alone its help, exit code 1; unknown words are named`, async () => {
    const alone = await run(wordsOf(command));
    expect([alone.code, alone.err]).toEqual([1, ""]);
    expect(alone.out).toStartWith(`Usage: ${commandPath(command)} `);
    const unknown = await run([...wordsOf(command), "nonsense"]);
    expect([unknown.code, unknown.out]).toEqual([1, ""]);
    expect(unknown.err).toStartWith("Unknown command 'nonsense'.");
  });
}
