/**
 * The command table: Nomad's commands and flags, by commander. Each command's code loads when it
 * runs. Flags are written with two dashes here and shown with one; argv.ts takes both.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { nearest } from "../config/suggest.ts";
import { normaliseArgv } from "./argv.ts";
import { CommandError, print, printError } from "./output.ts";

const UNKNOWN_COMMAND = 127;

/** @returns the exit code */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = createProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(normaliseArgv(argv), { from: "user" });
    return code;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) {
    if (error.message !== "") printError(error.message);
    return error.code;
  }
  if (!(error instanceof CommanderError)) throw error;
  if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return 0;
  if (error.code === "commander.help") return 1;
  return error.code === "nomad.unknownTopCommand" ? UNKNOWN_COMMAND : 1;
}

function createProgram(setCode: (code: number) => void): Command {
  const program = new Command("nomad");
  program.description(
    "An encrypted, Nomad-compatible agent: gossip with AES-GCM, RPC and HTTP with TLS.",
  );
  program.usage("[-version] [-help] <command> [args]");
  addAgent(program, setCode);
  addOperator(program);
  addServer(program);
  addConfig(program);
  addTls(program);
  const info = apiCommand(program.command("agent-info"))
    .description("Display the agent's own numbers")
    .option("--json", "output as JSON");
  const watch = apiCommand(program.command("monitor"))
    .description("Show an agent's log as it is written")
    .option("--log-level <level>", "TRACE, DEBUG, INFO, WARN or ERROR (default INFO)")
    .option("--log-include-location", "accepted for Nomad's sake: there are no locations")
    .option("--server-id <id>", "another server's, by name, id, or 'leader'")
    .option("--node-id <id>", "a client's")
    .option("--json", "lines as JSON");
  watch.action(async (flags) => (await import("./monitor.ts")).monitor(flags));
  info.action(async (flags) => (await import("./agent-info.ts")).agentInfo(flags));
  program
    .command("version")
    .description("Print the version")
    .action(async () => print((await import("./version.ts")).versionText()));
  program.option("--version", "print the version");
  for (const command of everyCommand(program)) finish(command);
  program.action(async (flags: { version?: boolean }, self: Command) => {
    if (flags.version === true) print((await import("./version.ts")).versionText());
    else unknownOrHelp(program, self.args);
  });
  return program;
}

/** Nomad prints its whole help for a typing mistake; two lines say more. */
function unknownOrHelp(program: Command, args: readonly string[]): never {
  const [word] = args;
  if (word === undefined) {
    program.outputHelp();
    throw new CommanderError(UNKNOWN_COMMAND, "nomad.unknownTopCommand", "");
  }
  printError(unknownText(program, word));
  throw new CommanderError(UNKNOWN_COMMAND, "nomad.unknownTopCommand", "");
}

function unknownText(parent: Command, word: string): string {
  const names = parent.commands.map((command) => command.name());
  const guess = nearest(word, names);
  const path = commandPath(parent);
  const hint = guess === undefined ? "" : ` Did you mean '${guess}'?`;
  return `Unknown command '${word}'.${hint}\nFor the commands there are try '${path} -help'`;
}

function addAgent(program: Command, setCode: (code: number) => void): void {
  const agent = program.command("agent").description("Run an agent");
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  agent
    .option("--config <path>", "configuration file or directory; repeatable, later wins", many)
    .option("--dev", "server on loopback, nothing kept on disk")
    .option("--dev-tls", "as -dev, with TLS and gossip encryption made on the fly")
    .option("--server", "run a server")
    .option("--client", "run a client: ask the servers of -servers")
    .option("--bind <address>", "address to listen on (default 0.0.0.0, -dev: 127.0.0.1)")
    .option("--region <name>", "region (default global)")
    .option("--dc <name>", "datacenter (default dc1)")
    .option("--node <name>", "name of this node (default: the host's)")
    .option("--data-dir <path>", "where state is kept; absolute")
    .option("--log-level <level>", "TRACE, DEBUG, INFO, WARN, ERROR or OFF (default INFO)")
    .option("--log-json", "log lines as JSON")
    .option("--bootstrap-expect <n>", "servers to expect before electing a leader")
    .option("--encrypt <key>", "gossip key: the output of `nomad keygen`")
    .option("--join <address>", "server to join at start; repeatable; failing ends the agent", many)
    .option("--retry-join <address>", "server to join, tried until it works; repeatable", many)
    .option("--retry-max <n>", "attempts of -retry-join (default 0: for ever)")
    .option("--retry-interval <duration>", "wait between attempts (default 30s)")
    .option("--rejoin", "join again after having left")
    .option("--servers <list>", "client: servers, separated by commas")
    .option("--node-class <class>", "client: node class")
    .option("--node-pool <pool>", "client: node pool")
    .option("--meta <key=value>", "client: metadata; repeatable", many);
  agent.action(async (flags) => setCode(await (await import("./agent.ts")).runAgent(flags)));
}

/** keygen, and everything below `operator`. */
function addOperator(program: Command): void {
  program
    .command("keygen")
    .description("Print a new gossip encryption key")
    .option("--bytes <n>", "16, 24 or 32 bytes: AES-128, -192 or -256", "16")
    .action(async ({ bytes }: { bytes: string }) => keygen(bytes));
  const operator = program.command("operator").description("Tools for cluster operators");
  const encryption = operator.command("encryption").description("What is encrypted, and how");
  apiCommand(encryption.command("doctor"))
    .description("Look at every server's RPC port from here, and say what is left to do")
    .option("--json", "output as JSON")
    .action(async (flags) => (await import("./encryption-doctor.ts")).encryptionDoctor(flags));
  addRaft(operator);
  const tls = operator.command("tls").description("The agent's own TLS");
  apiCommand(tls.command("reload"))
    .description("Have the agent read its certificates and tls block again")
    .action(async (flags) => (await import("./tls-reload.ts")).reloadTls(flags));
  const gossip = operator.command("gossip").description("Gossip encryption");
  const keyring = gossip.command("keyring").description("Gossip encryption keys");
  keyring
    .command("generate")
    .description("Print a new gossip encryption key of 32 bytes")
    .action(async () => keygen("32"));
  apiCommand(keyring.command("list"))
    .description("List the keys of all members, by fingerprint")
    .option("--json", "output as JSON")
    .option("--show-keys", "the keys themselves: secrets")
    .action(async (flags) => (await import("./keyring.ts")).listKeys(flags));
  const about = {
    install: "Install a key on all members, for receiving",
    use: "Make an installed key the one that members send with",
    remove: "Remove a key from all members",
  } as const;
  for (const operation of ["install", "use", "remove"] as const) {
    apiCommand(keyring.command(operation).argument("<key>"))
      .description(about[operation])
      .action(async (key, flags) =>
        (await import("./keyring.ts")).changeKey(operation, key, flags),
      );
  }
  apiCommand(keyring.command("rotate"))
    .description("Replace all keys by a new one, checked step by step, without downtime")
    .action(async (flags) => (await import("./keyring.ts")).rotateKeys(flags));
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
  const autopilot = operator.command("autopilot").description("Upkeep of the Raft group");
  apiCommand(autopilot.command("get-config"))
    .description("Show the settings")
    .option("--json", "output as JSON")
    .action(async (flags) => (await import("./autopilot.ts")).getAutopilot(flags));
  apiCommand(autopilot.command("set-config"))
    .description("Change settings; the others stay as they are")
    .option("--cleanup-dead-servers <bool>", "remove failed servers while a quorum is kept")
    .option("--max-trailing-logs <count>", "entries that a healthy server may be behind")
    .option("--last-contact-threshold <duration>", "a healthy server hears the leader this often")
    .option("--server-stabilization-time <duration>", "healthy this long before it votes")
    .option("--min-quorum <count>", "servers that dead server cleanup leaves")
    .action(async (flags) => (await import("./autopilot.ts")).setAutopilot(flags));
  apiCommand(autopilot.command("health"))
    .description("How well each server keeps up, and how many can be lost")
    .option("--json", "output as JSON")
    .action(async (flags) => (await import("./autopilot.ts")).autopilotHealth(flags));
}

async function keygen(bytes: string): Promise<void> {
  if (!["16", "24", "32"].includes(bytes)) {
    throw new CommandError(`-bytes must be 16, 24 or 32, found '${bytes}'`);
  }
  const { makeKeyText } = await import("./keygen.ts");
  print(makeKeyText(Number(bytes)));
}

function addServer(program: Command): void {
  const server = program.command("server").description("Interact with servers");
  apiCommand(server.command("members"))
    .description("List the servers of the gossip pool")
    .option("--json", "output as JSON")
    .option("--verbose", "protocol versions and tags too")
    .addOption(new Option("--detailed", "as -verbose"))
    .action(async (flags) => (await import("./server-members.ts")).serverMembers(flags));
}

function addConfig(program: Command): void {
  const config = program.command("config").description("Interact with configurations");
  config
    .command("validate")
    .argument("[paths...]", "configuration files and directories")
    .description("Check a configuration, TLS files and gossip key included")
    .action(async (paths) => (await import("./config-validate.ts")).configValidate(paths));
}

function addTls(program: Command): void {
  const tls = program.command("tls").description("Make certificates for Nomad");
  const many = (value: string, before: string[] = []): string[] => [...before, value];
  const ca = tls.command("ca").description("Certificate authorities");
  ca.command("create")
    .description("Make a certificate authority")
    .option("--additional-domain <domain>", "more domains to permit; repeatable", many)
    .option("--common-name <name>", "common name of the CA")
    .option("--country <code>", "country code of the CA")
    .option("--days <n>", "valid for so many days (default 1825)")
    .option("--domain <domain>", "domain of the cluster (default nomad)")
    .option("--locality <name>", "locality of the CA")
    .option("--name-constraint", "let the CA sign for its domains only")
    .option("--organization <name>", "organization of the CA")
    .option("--organizational-unit <name>", "organizational unit of the CA")
    .option("--postal-code <code>", "postal code of the CA")
    .option("--province <name>", "province of the CA")
    .option("--street-address <text>", "street address of the CA")
    .action(async (flags) => (await import("./tls-create.ts")).createCa(flags));
  ca.command("info")
    .argument("[file]", "PEM file", "nomad-agent-ca.pem")
    .description("Show what a CA certificate says")
    .action(async (file) => (await import("./tls-info.ts")).caInfo(file));
  const cert = tls.command("cert").description("Certificates");
  cert
    .command("info")
    .argument("<file>", "PEM file")
    .description("Show what a certificate says")
    .action(async (file) => (await import("./tls-info.ts")).certInfo(file));
  cert
    .command("create")
    .description("Make a certificate of the authority")
    .option("--additional-dnsname <name>", "more DNS names; repeatable", many)
    .option("--additional-ipaddress <ip>", "more IP addresses; repeatable", many)
    .option("--ca <file>", "the CA's certificate (default <domain>-agent-ca.pem)")
    .option("--key <file>", "the CA's key (default <domain>-agent-ca-key.pem)")
    .option("--days <n>", "valid for so many days (default 365)")
    .option("--domain <domain>", "domain of the cluster (default nomad)")
    .option("--region <name>", "region in the name (default global)")
    .option("--server", "for a server: server.<region>.nomad")
    .option("--client", "for a client: client.<region>.nomad")
    .option("--cli", "for the command line: cli.<region>.nomad")
    .action(async (flags) => (await import("./tls-create.ts")).createCert(flags));
}

/** The flags that every command has which asks an agent. */
function apiCommand(command: Command): Command {
  return command
    .option("--address <url>", "the agent, as http(s)://host:port (NOMAD_ADDR)")
    .option("--region <name>", "region to ask (NOMAD_REGION)")
    .option("--namespace <name>", "namespace to ask for (NOMAD_NAMESPACE)")
    .option("--ca-cert <file>", "CA that signed the agent's certificate (NOMAD_CACERT)")
    .option("--ca-path <dir>", "folder of such CAs (NOMAD_CAPATH)")
    .option("--client-cert <file>", "certificate to show the agent (NOMAD_CLIENT_CERT)")
    .option("--client-key <file>", "its key (NOMAD_CLIENT_KEY)")
    .option("--tls-server-name <name>", "name to expect in its certificate (NOMAD_TLS_SERVER_NAME)")
    .option("--tls-skip-verify", "do not verify its certificate (NOMAD_SKIP_VERIFY)")
    .option("--token <secret>", "token to send (NOMAD_TOKEN)")
    .addOption(new Option("--no-color", "no colours").hideHelp())
    .addOption(new Option("--force-color", "colours").hideHelp());
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Errors as values, one dash in what people read, and help for groups. */
function finish(command: Command): void {
  const oneDash = (text: string): string => text.replaceAll(/(^|[\s,'(|[])--(?=[a-z])/g, "$1-");
  command
    .exitOverride()
    .helpOption("-h, --help", "this help")
    .helpCommand(false)
    .configureHelp({ optionTerm: (option) => oneDash(option.flags) })
    .allowExcessArguments(command.commands.length > 0)
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => print(oneDash(text).trimEnd()),
      writeErr: (text) => {
        const help = `For additional help try '${commandPath(command)} -help'`;
        printError(`${oneDash(text).trimEnd()}\n${help}`);
      },
    });
  if (command.commands.length === 0 || command.parent === null) return;
  command.action((_flags, self: Command) => {
    const [word] = self.args;
    if (word === undefined) command.outputHelp();
    else printError(unknownText(command, word));
    throw new CommanderError(1, "commander.help", "");
  });
}

function commandPath(command: Command): string {
  const above = command.parent;
  return above === null ? command.name() : `${commandPath(above)} ${command.name()}`;
}
