/**
 * The command table: Nomad's commands and flags, by commander. Each command's code loads when it
 * runs. Flags are written with two dashes here and shown with one; argv.ts takes both.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { nearest } from "../config/suggest.ts";
import { addAbsent } from "./absent-commands.ts";
import { addAcl } from "./acl-commands.ts";
import { addKeyFlags } from "./agent-flags.ts";
import { apiCommand } from "./api-command.ts";
import { argumentText, commandPath, normaliseArgv } from "./argv.ts";
import { formatted } from "./data-format.ts";
import { addEvents, addNamespaces } from "./namespace-commands.ts";
import { addNode } from "./node-commands.ts";
import { addOperator } from "./operator-commands.ts";
import { addOthers } from "./other-commands.ts";
import { CommandError, print, printError } from "./output.ts";

const UNKNOWN_COMMAND = 127;
/** What is asked for every day comes first in the help. */
const COMMON: ReadonlySet<string> = new Set([
  ...["agent", "monitor", "node", "operator", "server", "status"],
]);
/** Scripts pass these on from variables that need not be set; others would change what is meant. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(["clientIntroToken", "namespace", "token"]);

/** @returns the exit code: 0, or that of the error with which a command has ended */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.parseAsync(normaliseArgv(argv, program), { from: "user" });
    return 0;
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

/** All commands. */
export function createProgram(): Command {
  const program = new Command("nomad");
  program.description(
    "An encrypted, Nomad-compatible agent: gossip with AES-GCM, RPC and HTTP with TLS.",
  );
  program.usage("[-version] [-help] [-autocomplete-(un)install] <command> [args]");
  addAgent(program);
  program
    .command("keygen")
    .description("Print a new gossip encryption key")
    .option("--bytes <n>", "16, 24 or 32 bytes: AES-128, -192 or -256", "16")
    .action(async ({ bytes }: { bytes: string }) => {
      (await import("./print-key.ts")).printKey(bytes);
    });
  addOperator(program);
  addServer(program);
  addNode(program);
  addNamespaces(program);
  addEvents(program);
  addAcl(program);
  addConfig(program);
  addTls(program);
  addSystemd(program);
  const info = formatted(apiCommand(program.command("agent-info"))).description(
    "Display the agent's own numbers",
  );
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
  program
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .description("Print a script that completes commands and flags in a shell")
    .action(async (shell) =>
      print((await import("./completion-script.ts")).completionScript(shell)),
    );
  program.option("-v, --version", "print the version");
  program.option("--autocomplete-install", "complete commands in the shells of this user");
  program.option("--autocomplete-uninstall", "no longer");
  program.addOption(new Option("--man", "print the manual page").hideHelp());
  addOthers(program);
  addAbsent(program);
  for (const command of program.commands) {
    command.helpGroup(COMMON.has(command.name()) ? "Common commands:" : "Other commands:");
  }
  for (const command of everyCommand(program)) finish(command);
  program.hook("preAction", (_program, command) => refuseEmpty(command));
  program.action(async (flags: TopFlags, self: Command) => runTop(program, flags, self.args));
  return program;
}

interface TopFlags {
  readonly version?: boolean;
  readonly autocompleteInstall?: boolean;
  readonly autocompleteUninstall?: boolean;
  readonly man?: boolean;
}

async function runTop(program: Command, flags: TopFlags, args: readonly string[]): Promise<void> {
  const { version, autocompleteInstall, autocompleteUninstall, man } = flags;
  if (version === true) return print((await import("./version.ts")).versionText());
  if (man === true) return print((await import("./man-page.ts")).manPage(program));
  if (autocompleteInstall !== true && autocompleteUninstall !== true) unknownOrHelp(program, args);
  if (autocompleteInstall === autocompleteUninstall) {
    throw new CommandError("Either -autocomplete-install or -autocomplete-uninstall, not both");
  }
  const shells = await import("./autocomplete-install.ts");
  const where = { home: process.env["HOME"], program: process.execPath };
  if (autocompleteInstall === true) shells.installCompletion(where);
  else shells.uninstallCompletion(where);
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

function addAgent(program: Command): void {
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
    .option("--meta <key=value>", "client: metadata; repeatable", many)
    .option("--client-intro-token <jwt>", "client: lets it in (NOMAD_CLIENT_INTRO_TOKEN)");
  addKeyFlags(agent);
  agent.action(async (flags) => (await import("./agent.ts")).runAgent(flags));
}

function addServer(program: Command): void {
  const server = program.command("server").description("Interact with servers");
  formatted(apiCommand(server.command("members")))
    .description("List the servers of the gossip pool")
    .option("--verbose", "protocol versions and tags too")
    .addOption(new Option("--detailed", "as -verbose"))
    .option("--ui", "open them in the agent's web page, too")
    .action(async (flags) => (await import("./server-members.ts")).serverMembers(flags));
  apiCommand(server.command("join"))
    .argument("<address...>", "servers of the cluster, as host or host:port of their gossip")
    .description("Have the agent's server join others; one that answers is enough")
    .action(async (addresses, flags) =>
      (await import("./server-change.ts")).join(addresses, flags),
    );
  apiCommand(server.command("force-leave"))
    .argument("<node>", "its name with the region, as `server members` shows it: s1.global")
    .description("Have all count a failed server as one that has left")
    .option("--prune", "take it out of the list of members at once")
    .action(async (node, flags) => (await import("./server-change.ts")).forceLeave(node, flags));
}

function refuseEmpty(command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName();
    const value: unknown = command.getOptionValue(name);
    const isEmpty = value === "" || (Array.isArray(value) && value.includes(""));
    if (!isEmpty || MAY_BE_EMPTY.has(name)) continue;
    const flag = (option.long ?? option.short ?? "").replace(/^--/, "-");
    throw new CommandError(
      `${flag} is empty: give it a value, or leave it out\n` +
        `For additional help try '${commandPath(command)} -help'`,
    );
  }
}

function addConfig(program: Command): void {
  const config = program.command("config").description("Interact with configurations");
  config
    .command("validate")
    .argument("[paths...]", "configuration files and directories")
    .description("Check a configuration, TLS files and gossip key included")
    .action(async (paths) => (await import("./config-validate.ts")).configValidate(paths));
}

function addSystemd(program: Command): void {
  program
    .command("systemd")
    .description("What systemd needs to run an agent")
    .command("unit")
    .description("Print the unit: save it as /etc/systemd/system/nomad.service")
    .option("--binary <path>", "what it is to run (default: this binary)")
    .action(async (flags) => (await import("./systemd-unit.ts")).printUnit(flags));
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

export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** What Nomad says where an argument is missing and it has words of its own. */
const MISSING: Readonly<Record<string, string>> = {
  "nomad operator api": "A path or URL is required",
  "nomad server join": "One or more node addresses must be given as arguments",
};

function unknownFlag(command: Command, name: string): string {
  const isOf = (one: Command): boolean => one.options.some(({ long }) => long === `-${name}`);
  if (everyCommand(command).slice(1).some(isOf)) {
    return `The flag '${name}' belongs behind the command: ${commandPath(command)} COMMAND ${name}`;
  }
  const guess = nearest(name, [
    ...command.options.map(({ long }) => (long ?? "").slice(1)),
    "-help",
  ]);
  return `Unknown flag '${name}'.${guess === undefined ? "" : ` Did you mean ${guess}?`}`;
}

/** Nomad's words for what the parser says. */
function mistake(command: Command, text: string): string {
  // Without its value: that of -encrpyt is a key.
  const [, name] = /^error: unknown option '([^'=]*)/.exec(text) ?? [];
  if (name !== undefined) return unknownFlag(command, name);
  const [, flag = "", value = ""] =
    /^error: option '(?:-\w, )?(-\S+) (\S+)' argument missing/.exec(text) ?? [];
  if (flag !== "") return `The flag ${flag} needs a value: ${flag}=${value}`;
  if (!/^error: (missing required argument|too many arguments)/.test(text)) {
    return text.replace(/^error: /, "");
  }
  const wanted = command.registeredArguments.map(argumentText);
  if (wanted.length === 0) return "This command takes no arguments";
  const path = commandPath(command);
  if (text.includes("missing") && path in MISSING) return MISSING[path] ?? "";
  const [first] = command.registeredArguments;
  if (first?.variadic === true) return `This command takes one or more arguments: ${wanted[0]}`;
  const count = wanted.length === 1 ? "one argument" : `${wanted.length} arguments`;
  return `This command takes ${count}: ${wanted.join(" ")}`;
}

/** Errors as values, one dash in what people read, and help for groups. */
function finish(command: Command): void {
  const oneDash = (text: string): string => text.replaceAll(/(^|[\s,'(|[])--(?=[a-z])/g, "$1-");
  command
    .exitOverride()
    .helpOption("-h, --help", "this help")
    .helpCommand(false)
    .configureHelp({ optionTerm: (option) => oneDash(option.flags), sortSubcommands: true })
    .allowExcessArguments(command.commands.length > 0)
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => print(oneDash(text).trimEnd()),
      writeErr: (text) => {
        const help = `For additional help try '${commandPath(command)} -help'`;
        printError(`${mistake(command, oneDash(text).trimEnd())}\n${help}`);
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
