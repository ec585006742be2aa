/** The table of commands about all that there is, and of the system as a whole. */
import type { Command } from "commander";
import { apiCommand } from "./api-command.ts";
import { formatted } from "./data-format.ts";

export function addOthers(program: Command): void {
  apiCommand(program.command("status"))
    .argument("[id]", "of anything, or the beginning of it")
    .description("Show what an id belongs to; without one, the jobs: there are none")
    .option("--verbose", "whole ids, and more of what there is")
    .action(async (id, flags) => (await import("./status.ts")).status(id, flags));
  apiCommand(program.command("ui"))
    .argument("[id]", "of what is to be shown, or the beginning of it")
    .description("Open the web page of the agent")
    .option("--authenticate", "exchange the token for one that is good once")
    .option("--show-url", "print the address instead")
    .action(async (id, flags) => (await import("./ui.ts")).ui(id, flags));
  const system = program.command("system").description("Interact with the system as a whole");
  apiCommand(system.command("gc"))
    .description("Take out what is not needed any more: nodes that are down")
    .action(async (flags) => (await import("./system.ts")).collectGarbage(flags));
  apiCommand(system.command("reconcile").description("Repair what is derived").command("summaries"))
    .description("Nomad's repair of job summaries: there are none, and nothing is done")
    .action(async (flags) => (await import("./system.ts")).reconcileSummaries(flags));
  const job = program.command("job").description("Interact with jobs: there are none here");
  formatted(apiCommand(job.command("status")))
    .argument("[id]", "of a job, or the beginning of it")
    .description("List the jobs: there are none")
    .option("--all-allocs", "accepted for Nomad's sake")
    .option("--evals", "accepted for Nomad's sake")
    .option("--short", "accepted for Nomad's sake")
    .option("--verbose", "accepted for Nomad's sake")
    .action(async (id, flags) => (await import("./job-status.ts")).jobStatus(id, flags));
}
