/** `nomad node` and what is below it. */
import { type Command, Option } from "commander";
import { apiCommand } from "./api-command.ts";
import { formatted } from "./data-format.ts";

export function addNode(program: Command): void {
  const node = program.command("node").description("Interact with client nodes");
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  formatted(apiCommand(node.command("status")))
    .argument("[id]", "a node, by its id or the beginning of it")
    .description("List the clients of the region, or show one")
    .option("--self", "the node of the agent that is asked")
    .option("--stats", "of one: what the machine has and uses")
    .option("--allocs", "how many allocations run on each")
    .option("--short", "of one: without its events")
    .option("--verbose", "whole ids, addresses and versions; attributes of one")
    .option("--os", "the operating systems, too")
    .option("--quiet", "ids only")
    .option("--ui", "open it in the agent's web page, too")
    .option("--filter <expression>", "of the list, those that it is true of")
    .option("--per-page <n>", "so many at once")
    .option("--page-token <token>", "where a page begins")
    .action(async (id, flags) => (await import("./node-status.ts")).nodeStatus(id, flags));
  apiCommand(node.command("drain"))
    .argument("[id]", "a node, by its id or the beginning of it")
    .description("Empty a node, or take that back")
    .option("--enable", "begin a drain: the node becomes ineligible")
    .option("--disable", "take a drain back")
    .option("--deadline <duration>", "when what is left is stopped (default 1h)")
    .option("--force", "stop all at once")
    .addOption(new Option("--no-deadline", "without a deadline"))
    .option("--ignore-system", "leave system jobs where they are")
    .option("--keep-ineligible", "-disable: the node stays ineligible")
    .option("--detach", "do not wait for its end")
    .option("--monitor", "only wait for its end")
    .option("-m <message>", "a note that is kept with the drain")
    .option("--meta <key=value>", "metadata that is kept with it; repeatable", many)
    .option("--self", "the node of the agent that is asked")
    .option("--yes", "do not ask whether that is meant")
    .action(async (id, flags) => (await import("./node-change.ts")).nodeDrain(id, flags));
  apiCommand(node.command("eligibility"))
    .argument("[id]", "a node, by its id or the beginning of it")
    .description("Say whether something may be placed on a node")
    .option("--enable", "something may")
    .option("--disable", "nothing may")
    .option("--self", "the node of the agent that is asked")
    .action(async (id, flags) => (await import("./node-change.ts")).nodeEligibility(id, flags));
  apiCommand(node.command("config"))
    .argument("[address...]", "servers, as host or host:port of their RPC")
    .description("The servers that a client agent knows")
    .option("--servers", "list them")
    .option("--update-servers", "replace them")
    .action(async (addresses, flags) =>
      (await import("./node-config.ts")).nodeConfig(addresses, flags),
    );
  addMeta(node.command("meta").description("Interact with the metadata of a client node"));
  addIdentity(node);
  addPools(node.command("pool").description("Interact with node pools"));
}

function addIdentity(node: Command): void {
  const identity = node.command("identity").description("Interact with the identity of a node");
  formatted(apiCommand(identity.command("get")))
    .argument("<node-id>", "a node, by its id or the beginning of it")
    .description("Show what the identity says that servers have signed for a node")
    .action(async (id, flags) => (await import("./node-identity.ts")).identityGet(id, flags));
  apiCommand(identity.command("renew"))
    .argument("<node-id>", "a node, by its id or the beginning of it")
    .description("Have a node ask for another identity at its next heartbeat")
    .action(async (id, flags) => (await import("./node-identity.ts")).identityRenew(id, flags));
  const intro = node.command("intro").description("Let nodes in that no server knows yet");
  formatted(apiCommand(intro.command("create")))
    .description("Make a token by which a new client may register; it is a secret")
    .option("--node-name <name>", "only a node of this name (default: any)")
    .option("--node-pool <pool>", "only a node of this pool (default: default)")
    .option("--ttl <duration>", "how long it may be used (default: as the servers say)")
    .action(async (flags) => (await import("./node-identity.ts")).introCreate(flags));
}

function addPools(pool: Command): void {
  const paged = (command: Command): Command =>
    formatted(apiCommand(command))
      .option("--filter <expression>", "those that it is true of")
      .option("--per-page <n>", "so many at once")
      .option("--page-token <token>", "where a page begins");
  paged(pool.command("list"))
    .description("List the node pools")
    .action(async (flags) => (await import("./node-pool.ts")).poolList(flags));
  formatted(apiCommand(pool.command("info")))
    .argument("<node-pool>", "its name, or the beginning of it")
    .description("Show one")
    .action(async (name, flags) => (await import("./node-pool.ts")).poolInfo(name, flags));
  apiCommand(pool.command("apply"))
    .argument("<input>", "a specification in HCL; - reads it from stdin")
    .description("Make a node pool, or change what it says")
    .option("--json", "the specification is JSON, as the HTTP API has it")
    .action(async (path, flags) => (await import("./node-pool-change.ts")).poolApply(path, flags));
  pool
    .command("init")
    .argument("[file]", "where to (default pool.nomad.hcl or pool.nomad.json)")
    .description("Write an example of a specification")
    .option("--out <format>", "hcl (the default) or json")
    .option("--quiet", "say nothing when it is done")
    .action(async (file, flags) => (await import("./node-pool-change.ts")).poolInit(file, flags));
  apiCommand(pool.command("delete"))
    .argument("<node-pool>", "its whole name")
    .description("Delete one that has no nodes")
    .action(async (name, flags) => (await import("./node-pool-change.ts")).poolDelete(name, flags));
  paged(pool.command("nodes"))
    .argument("<node-pool>", "its name, or the beginning of it")
    .description("List the nodes of one")
    .option("--verbose", "whole ids, addresses and versions")
    .action(async (name, flags) => (await import("./node-pool.ts")).poolNodes(name, flags));
}

function addMeta(meta: Command): void {
  formatted(apiCommand(meta.command("read")))
    .description("Show what is set in its files, and what has been changed since")
    .option("--node-id <id>", "a node (default: that of the agent that is asked)")
    .action(async (flags) => (await import("./node-meta.ts")).metaRead(flags));
  apiCommand(meta.command("apply"))
    .argument("[pair...]", "key=value")
    .description("Change it, without a restart")
    .option("--node-id <id>", "a node (default: that of the agent that is asked)")
    .option("--unset <keys>", "keys to take away, separated by commas")
    .action(async (pairs, flags) => (await import("./node-meta.ts")).metaApply(pairs, flags));
}
