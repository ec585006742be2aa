/** Everything below `operator`: the table of its commands. */
import type { Command } from "commander";
import { apiCommand } from "./api-command.ts";
import { formatted } from "./data-format.ts";

export function addOperator(program: Command): void {
  const operator = program.command("operator").description("Tools for cluster operators");
  const encryption = operator.command("encryption").description("What is encrypted, and how");
  formatted(apiCommand(encryption.command("doctor")))
    .description("Look at every server's RPC port from here, and say what is left to do")
    .action(async (flags) => (await import("./encryption-doctor.ts")).encryptionDoctor(flags));
  addRequests(operator);
  addDebug(operator);
  addRaft(operator);
  addSnapshot(operator);
  const tls = operator.command("tls").description("The agent's own TLS");
  apiCommand(tls.command("reload"))
    .description("Have the agent read its certificates and tls block again")
    .action(async (flags) => (await import("./tls-reload.ts")).reloadTls(flags));
  addRootKeyring(operator);
  const gossip = operator.command("gossip").description("Gossip encryption");
  const keyring = gossip.command("keyring").description("Gossip encryption keys");
  keyring
    .command("generate")
    .description("Print a new gossip encryption key of 32 bytes")
    .action(async () => (await import("./print-key.ts")).printKey("32"));
  formatted(apiCommand(keyring.command("list")))
    .description("List the keys of all members, by fingerprint")
    .option("--show-keys", "the keys themselves: secrets")
    .action(async (flags) => (await import("./keyring.ts")).listKeys(flags));
  const about = {
    install: "Install a key on all members, for receiving",
    use: "Make an installed key the one that members send with",
    remove: "Remove a key from all members",
  } as const;
  for (const operation of ["install", "use", "remove"] as const) {
    apiCommand(keyring.command(operation).argument("<key>", "in base64; - reads it from stdin"))
      .description(about[operation])
      .action(async (key, flags) =>
        (await import("./keyring.ts")).changeKey(operation, key, flags),
      );
  }
  apiCommand(keyring.command("rotate"))
    .description("Replace all keys by a new one, checked step by step, without downtime")
    .action(async (flags) => (await import("./keyring.ts")).rotateKeys(flags));
}

function addRootKeyring(operator: Command): void {
  const root = operator.command("root").description("Keys of the servers' common state");
  const keyring = root.command("keyring").description("Keys that sign who client nodes are");
  formatted(apiCommand(keyring.command("list")))
    .description("List the keys, without anything that is secret")
    .option("--verbose", "whole ids")
    .action(async (flags) => (await import("./root-keyring.ts")).keyringList(flags));
  apiCommand(keyring.command("rotate"))
    .description("Have another key sign; what the one before has signed holds until it is over")
    .option("--now", "at once")
    .option("--prepublish <duration>", "later: until then it is only published")
    .option("--full", "accepted for Nomad's sake: nothing is encrypted by these keys")
    .option("--verbose", "whole ids")
    .action(async (flags) => (await import("./root-keyring.ts")).keyringRotate(flags));
  apiCommand(keyring.command("remove"))
    .argument("<key-id>", "its whole id: `list -verbose` shows it")
    .description("Remove a key that does not sign any more")
    .option("--force", "also if nodes have identities that it has signed")
    .action(async (id, flags) => (await import("./root-keyring.ts")).keyringRemove(id, flags));
}

function addRequests(operator: Command): void {
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  apiCommand(operator.command("api"))
    .argument("<path>", "/v1/..., or a whole URL")
    .description("Send a request to the HTTP API, with the flags and variables of these commands")
    .option("-X <method>", "method (default GET; with a body on stdin POST)")
    .option("-H <header>", "a header, as 'Name: value'; repeatable", many)
    .option("-d <body>", "the body, or @FILE; without it what is piped into stdin")
    .option("--filter <expression>", "filter of a list")
    .option("--dryrun", "print the equivalent curl command instead")
    .option("--verbose", "the headers, too, on stderr")
    .action(async (path, flags) => (await import("./operator-api.ts")).operatorApi(path, flags));
  formatted(apiCommand(operator.command("metrics")))
    .description("Show the agent's metrics")
    .option("--format <format>", "json (the default) or prometheus")
    .option("--pretty", "indented")
    .action(async (flags) => (await import("./operator-metrics.ts")).operatorMetrics(flags));
}

function addDebug(operator: Command): void {
  apiCommand(operator.command("debug"))
    .description("Gather in an archive what agents say and log for a while; it holds no secrets")
    .option("--duration <duration>", "for how long (default 2m)")
    .option("--interval <duration>", "how often they are asked (default 30s)")
    .option("--log-level <level>", "of the logs (default DEBUG)")
    .option("--max-nodes <count>", "client nodes whose logs are gathered; 0: all (default 10)")
    .option("--node-class <class>", "only client nodes of this class")
    .option("--node-id <ids>", "client nodes, by the beginning of their ids, or all (the default)")
    .option("--server-id <names>", "servers, leader, or all (the default)")
    .option("--event-topic <topics>", "events, too: Node, NodePool ... or all (default none)")
    .option("--event-index <index>", "events from this index on")
    .option("--stale", "any server may answer")
    .option("--output <directory>", "a folder in this one, instead of an archive")
    .option("--verbose", "what could not be had, too")
    .action(async (flags) => (await import("./debug.ts")).operatorDebug(flags));
}

function addRaft(operator: Command): void {
  const raft = operator.command("raft").description("The servers' Raft group");
  apiCommand(raft.command("list-peers"))
    .description("List the servers that vote, and those that do not yet")
    .option("--stale", "any server may answer, not only the leader")
    .action(async (flags) => (await import("./raft-peers.ts")).listPeers(flags));
  apiCommand(raft.command("remove-peer"))
    .description("Take a server out of the Raft group")
    .option("--peer-id <id>", "its id")
    .action(async (flags) => (await import("./raft-peers.ts")).removePeer(flags));
  apiCommand(raft.command("transfer-leadership"))
    .description("Have another server lead")
    .option("--peer-id <id>", "its id")
    .option("--peer-address <address>", "its address, as ip:port")
    .action(async (flags) => (await import("./raft-peers.ts")).transferLeadership(flags));
  raft
    .command("info")
    .argument("<path>", "a server's data_dir, or its raft.db")
    .description("Show how long the log of a stopped server is")
    .action(async (path) => (await import("./raft-files.ts")).raftInfo(path));
  raft
    .command("logs")
    .argument("<path>", "a server's data_dir, or its raft.db")
    .description("Print the log of a stopped server as JSON; it holds secrets")
    .option("--pretty", "indented")
    .action(async (path, flags) => (await import("./raft-files.ts")).raftLogs(path, flags));
  raft
    .command("state")
    .argument("<path>", "a server's data_dir, or its raft.db")
    .description("Print the state that the log of a stopped server leads to; it holds secrets")
    .option(
      "--last-index <index>",
      "up to this entry; 0 or less: counted from the last (default: 0)",
    )
    .action(async (path, flags) => (await import("./raft-files.ts")).raftState(path, flags));
  const autopilot = operator.command("autopilot").description("Upkeep of the Raft group");
  formatted(apiCommand(autopilot.command("get-config")))
    .description("Show the settings")
    .action(async (flags) => (await import("./autopilot.ts")).getAutopilot(flags));
  apiCommand(autopilot.command("set-config"))
    .description("Change settings; the others stay as they are")
    .option("--cleanup-dead-servers [bool]", "remove failed servers while a quorum is kept")
    .option("--max-trailing-logs <count>", "entries that a healthy server may be behind")
    .option("--last-contact-threshold <duration>", "a healthy server hears the leader this often")
    .option("--server-stabilization-time <duration>", "healthy this long before it votes")
    .option("--min-quorum <count>", "servers that dead server cleanup leaves")
    .option("--enable-redundancy-zones [bool]", "kept for Nomad's sake: no effect here")
    .option("--disable-upgrade-migration [bool]", "kept for Nomad's sake: no effect here")
    .option("--enable-custom-upgrades [bool]", "kept for Nomad's sake: no effect here")
    .action(async (flags) => (await import("./autopilot.ts")).setAutopilot(flags));
  formatted(apiCommand(autopilot.command("health")))
    .description("How well each server keeps up, and how many can be lost")
    .action(async (flags) => (await import("./autopilot.ts")).autopilotHealth(flags));
}

function addSnapshot(operator: Command): void {
  const snapshot = operator.command("snapshot").description("The servers' state as a file");
  apiCommand(snapshot.command("save"))
    .argument("[file]", "where to (default nomad-state-<date>-<time>.snap)")
    .description("Write the state of the servers into a file; it holds secrets")
    .option("--stale", "any server may answer, not only the leader")
    .action(async (file, flags) => (await import("./snapshot.ts")).saveArchive(file, flags));
  snapshot
    .command("inspect")
    .argument("<file>", "what `save` wrote, here or by Nomad")
    .description("Check a file, and show what is in it")
    .option("--json", "output as JSON")
    .action(async (file, flags) => (await import("./snapshot.ts")).showArchive(file, flags));
  snapshot
    .command("state")
    .argument("<file>", "what `save` wrote, here or by Nomad")
    .description("Print the state in a file as JSON; it holds secrets")
    .action(async (file) => (await import("./snapshot.ts")).snapshotState(file));
  apiCommand(snapshot.command("restore"))
    .argument("<file>", "what `save` wrote, here or by Nomad")
    .description("Replace the state of the servers by what is in a file")
    .action(async (file, flags) => (await import("./snapshot.ts")).restoreArchive(file, flags));
}
