/**
 * Commands of Nomad's for what is not here: each says so in one sentence, whatever comes behind it.
 * They are in no help and in no completion.
 *
 * @module
 */
import type { Command } from "commander";
import { commandPath } from "./argv.ts";
import { CommandError } from "./output.ts";

const OF_JOBS = [
  ...["action", "allocs", "deployments", "dispatch", "eval", "history", "init", "inspect"],
  ...["periodic", "plan", "promote", "restart", "revert", "run", "scale", "scaling-events"],
  ...["start", "stop", "tag", "validate"],
];

/** Why, and the words of those that are meant. */
const ABSENT: readonly (readonly [why: string, commands: readonly string[]])[] = [
  [
    "this agent has no job scheduler: there are no jobs, and nothing that comes of them",
    [
      ...["action", "alloc", "alloc-status", "deployment", "eval", "eval-status", "exec", "fs"],
      ...["init", "inspect", "logs", "plan", "plugin", "run", "scaling", "service", "stop"],
      ...["validate", "volume", "operator scheduler", "operator volume", "node pool jobs"],
      ...OF_JOBS.map((one) => `job ${one}`),
    ],
  ],
  [
    "Nomad Enterprise only",
    [
      ...["license", "quota", "recommendation", "sentinel"],
      ...["operator utilization", "operator snapshot agent"],
    ],
  ],
  ["this agent keeps no variables", ["var"]],
  [
    "there are no auth methods here: pass a token with -token (NOMAD_TOKEN)",
    ["login", "acl auth-method", "acl binding-rule"],
  ],
  ["this agent works with neither Consul nor Vault", ["setup"]],
  ["this agent formats no files", ["fmt"]],
  [
    "a client here has no allocations: what it keeps are the files in DATA_DIR/client",
    ["operator client-state"],
  ],
  ["keys in a snapshot are sealed here: none is to be taken out", ["operator snapshot redact"]],
  ["Raft's log is SQLite here: there is nothing to migrate", ["operator raft migrate-backend"]],
];

const absent = new WeakSet<Command>();

/** @returns whether it is here only to say that it is not there */
export function isAbsent(command: Command): boolean {
  return absent.has(command);
}

export function addAbsent(program: Command): void {
  for (const [why, commands] of ABSENT) {
    for (const one of commands) addOne(program, one.split(" "), why);
  }
}

function addOne(program: Command, words: readonly string[], why: string): void {
  const parent = words.slice(0, -1).reduce((above, word) => {
    return above.commands.find((one) => one.name() === word) ?? above;
  }, program);
  const command = parent.command(words.at(-1) ?? "", { hidden: true });
  absent.add(command);
  command
    .argument("[args...]", "not looked at")
    .description(`Not here: ${why}`)
    .allowUnknownOption()
    .action(() => {
      throw new CommandError(`${commandPath(command)}: ${why}`);
    });
}
