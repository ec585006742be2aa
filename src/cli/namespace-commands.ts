/** `nomad namespace` and `nomad event`, and what is below them. */
import type { Command } from "commander";
import { apiCommand } from "./api-command.ts";
import { formatted } from "./data-format.ts";

export function addNamespaces(program: Command): void {
  const group = program.command("namespace").description("Interact with namespaces");
  formatted(apiCommand(group.command("list")))
    .description("List the namespaces")
    .option("--filter <expression>", "those that it is true of")
    .option("--quiet", "names only")
    .action(async (flags) => (await import("./namespace.ts")).namespaceList(flags));
  formatted(apiCommand(group.command("status")))
    .argument("<namespace>", "its name, or the beginning of it")
    .description("Show one")
    .action(async (name, flags) => (await import("./namespace.ts")).namespaceStatus(name, flags));
  apiCommand(group.command("inspect"))
    .argument("<namespace>", "its name, or the beginning of it")
    .description("Show all of one, as JSON")
    .option("-t <template>", "output by a Go template")
    .action(async (name, flags) => (await import("./namespace.ts")).namespaceInspect(name, flags));
  apiCommand(group.command("apply"))
    .argument("<input>", "a name, a file that describes it, or - for standard input")
    .description("Make a namespace, or change it")
    .option("--description <text>", "what it is for")
    .option("--quota <name>", "kept for other tools: there are no quotas")
    .option("--json", "the file is JSON, and not HCL")
    .action(async (input, flags) => (await import("./namespace.ts")).namespaceApply(input, flags));
  apiCommand(group.command("delete"))
    .argument("<namespace>", "its whole name")
    .description("Delete one")
    .action(async (name, flags) => (await import("./namespace.ts")).namespaceDelete(name, flags));
}

export function addEvents(program: Command): void {
  const group = program.command("event").description("Interact with events");
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  apiCommand(group.command("stream"))
    .description("Show events of a server as they happen")
    .option("--topic <topic>", "Node, NodePool, Agent or Topic:key; repeatable (default all)", many)
    .option("--index <n>", "begin there, as far as it is kept (default: all that is)")
    .option("--json", "lines as JSON, with what has changed")
    .action(async (flags) => (await import("./event-stream.ts")).eventStream(flags));
}
