/** `nomad agent`: configuration, banner, signals, and an orderly end. */

import { type Agent, startAgent } from "../agent/agent.ts";
import { errorText } from "../host/error-text.ts";
import { formatAddress } from "../host/ip.ts";
import { type LogOutput, LogSink } from "../host/log.ts";
import { LogFile } from "../host/log-file.ts";
import { connectServiceManager, type ServiceManager } from "../host/notify.ts";
import { openSyslog } from "../host/syslog.ts";
import { after } from "../host/timer.ts";
import { PATHS } from "../paths.ts";
import { VERSION } from "../version.ts";
import { keyFlagValues } from "./agent-flags.ts";
import { banner } from "./banner.ts";
import { type CheckedConfig, checkConfig } from "./check-config.ts";
import { type DevTls, makeDevTls } from "./dev-tls.ts";
import { type FlagValues, flagBlock } from "./flag-block.ts";
import { parseInChild } from "./hcl-child.ts";
import { LoadError, type LoadedConfig, loadConfig } from "./load-config.ts";
import { announce, CommandError, printError } from "./output.ts";
import { inWords } from "./waiting-for.ts";

interface AgentFlags {
  readonly config?: readonly string[];
  readonly dev?: boolean;
  readonly devTls?: boolean;
  readonly server?: boolean;
  readonly client?: boolean;
  readonly bind?: string;
  readonly region?: string;
  readonly dc?: string;
  readonly node?: string;
  readonly dataDir?: string;
  readonly logLevel?: string;
  readonly logJson?: boolean;
  readonly bootstrapExpect?: string;
  readonly encrypt?: string;
  readonly join?: readonly string[];
  readonly retryJoin?: readonly string[];
  readonly retryMax?: string;
  readonly retryInterval?: string;
  readonly rejoin?: boolean;
  readonly servers?: string;
  readonly nodeClass?: string;
  readonly nodePool?: string;
  readonly meta?: readonly string[];
  readonly clientIntroToken?: string;
}

/** Nomad waits 5 s; a farewell to a leader and members that no longer answer takes longer. */
const LEAVE_TIMEOUT_MS = 18_000;
const PATIENCE_MS = 1000;

/** Until the agent has ended. @throws CommandError with its exit code */
export async function runAgent(flags: AgentFlags): Promise<void> {
  if ((flags.config ?? []).length === 0 && !hasMode(flags)) {
    throw new CommandError(
      "==> Must specify either server, client or dev mode for the agent.\n" +
        "    Try `nomad agent -dev-tls`, or `nomad agent -config=FILE` with server { enabled = true }",
    );
  }
  const dev =
    flags.devTls === true ? await makeDevTls(flags.region ?? "global", flags.bind) : undefined;
  try {
    const code = await runConfigured(flags, dev);
    if (code !== 0) throw new CommandError("", code);
  } finally {
    dev?.remove();
  }
}

async function runConfigured(flags: AgentFlags, dev: DevTls | undefined): Promise<number> {
  const load = (): Promise<LoadedConfig> => readConfig(flags, dev);
  const { loaded, checked } = await loadAndCheck(load);
  const { config } = loaded;
  const sink = await openLog(loaded);
  const manager = await connectServiceManager(process.env["NOTIFY_SOCKET"]);
  let fatal: () => void = () => undefined;
  const failed = new Promise<void>((resolve) => {
    fatal = resolve;
  });
  announce(
    config.files.length === 0
      ? "==> No configuration files loaded"
      : `==> Loaded configuration from ${config.files.join(", ")}`,
  );
  announce("==> Starting Nomad agent...");
  const { endpoints, material } = checked;
  const reloads = new Reloads(load);
  // Heard from the first moment: its default is to end the process.
  process.on("SIGHUP", () => {
    announce("==> Caught signal: hangup\n==> Reloading configuration...");
    // Also when the configuration is wrong: the file may have been moved away.
    sink.reopen();
    reloads.agent?.reopen();
    manager.reloading();
    reloads
      .run()
      .catch((error: unknown) => {
        const text = errorText(error);
        printError(`${text}\n==> Failed to reload configs: the old configuration stays in force`);
      })
      .finally(() => manager.ready());
  });
  // The log waits behind the banner, as Nomad's does.
  sink.hold();
  const agent = await startAgent({
    config,
    endpoints,
    version: VERSION,
    material,
    sink,
    introduction: process.env["NOMAD_CLIENT_INTRO_TOKEN"] || flags.clientIntroToken,
    onFatal: fatal,
    onReload: () => reloads.run(),
  }).catch((error: unknown) => {
    sink.release();
    throw new CommandError(`==> ${errorText(error)}${nextStep(errorText(error))}`);
  });
  reloads.agent = agent;
  printBanner(agent, checked, dev);
  sink.release();
  manager.ready();
  const code = await untilEnd(agent, failed, manager);
  sink.close();
  return code;
}

/** What may be done about a port that could not be had. */
function nextStep(error: string): string {
  if (error.includes("address already in use")) {
    return "\n    Another agent may be running here: stop it, or give this one other ports { } or -bind";
  }
  if (error.includes("cannot assign requested address")) {
    return "\n    bind_addr and addresses { } must be addresses of this machine: see `ip addr`";
  }
  return "";
}

async function loadAndCheck(
  load: () => Promise<LoadedConfig>,
): Promise<{ loaded: LoadedConfig; checked: CheckedConfig }> {
  try {
    const loaded = await load();
    const checked = await checkConfig(loaded);
    const warnings = [...loaded.warnings, ...checked.warnings];
    if (warnings.length > 0) printError(loaded.render(warnings));
    return { loaded, checked };
  } catch (error) {
    if (error instanceof LoadError) throw new CommandError(error.text);
    throw error;
  }
}

/** @throws CommandError when the file that is asked for cannot be had */
async function openLog({ config }: LoadedConfig): Promise<LogSink> {
  const { logLevel: level, logJson: json, logFile, logRotation, syslog } = config;
  const outputs: LogOutput[] = [];
  if (logFile !== undefined) {
    try {
      outputs.push(new LogFile(logFile, logRotation));
    } catch (error) {
      throw new CommandError(`cannot open log_file ${logFile}: ${errorText(error)}`);
    }
  }
  if (syslog !== undefined) {
    // A machine without one was warned of when the configuration was checked.
    const output = await openSyslog(syslog).catch(() => undefined);
    if (output !== undefined) outputs.push(output);
  }
  return new LogSink({ level, json, outputs });
}

function printBanner(agent: Agent, checked: CheckedConfig, dev: DevTls | undefined): void {
  const { config, gossip } = agent.context;
  const { endpoints, material } = checked;
  announce("==> Nomad agent configuration:\n");
  const nowMs = Date.now();
  const keyring = gossip?.keyring;
  announce(banner({ config, endpoints, nodeId: agent.nodeId, keyring, material, nowMs }));
  if (!config.devMode && !(config.tls.http && config.tls.rpc)) {
    printError(
      "==> WARNING: mTLS is not configured - Nomad is not secure without mTLS!\n" +
        "    Make certificates with `nomad tls ca create` and `nomad tls cert create -server`",
    );
  }
  const gossipInClear = agent.stillInClear().find(({ what }) => what === "gossip");
  if (gossipInClear !== undefined) {
    const { why, fix } = gossipInClear;
    printError(`==> WARNING: gossip is not encrypted: ${why};\n    ${fix}`);
  }
  for (const { why, fix } of agent.stillInClear().filter(({ what }) => what === "telemetry")) {
    printError(`==> WARNING: ${why};\n    ${fix}`);
  }
  announce("\n==> Nomad agent started! Log data will stream in below:\n");
  if (dev !== undefined) printDevHelp(agent, dev);
}

function printDevHelp(agent: Agent, dev: DevTls): void {
  const { http } = agent.context.endpoints.advertise;
  const url = `https://${formatAddress(http)}`;
  const { directory } = dev;
  announce(`==> Everything is encrypted. Certificates are in ${directory} while this runs. Try:

    curl --cacert ${dev.caFile} '${url}${PATHS.status}?pretty'

    NOMAD_ADDR=${url} NOMAD_CACERT=${dev.caFile} ${process.execPath} server members
`);
}

/** Waits for a signal (or for a failure that ends it) and stops in order. */
function untilEnd(agent: Agent, failed: Promise<void>, manager: ServiceManager): Promise<number> {
  const { config } = agent.context;
  return new Promise((resolve) => {
    let ending = false;
    const end = async (signal: string, graceful: boolean): Promise<void> => {
      announce(`==> Caught signal: ${signal}`);
      if (ending) return resolve(1);
      ending = true;
      manager.stopping();
      let code = 1;
      if (graceful) {
        announce("==> Gracefully shutting down agent...");
        code = (await leaves(agent)) ? 0 : 1;
      }
      await within(agent.stop(), LEAVE_TIMEOUT_MS);
      resolve(code);
    };
    process.on("SIGINT", () => void end("interrupt", config.leaveOnInterrupt));
    process.on("SIGTERM", () => void end("terminated", config.leaveOnTerminate));
    void failed.then(() => agent.stop()).then(() => resolve(1));
  });
}

type ReloadReport = Awaited<ReturnType<Agent["reload"]>>;

/** Says goodbye; whom that takes long is said after a second. */
async function leaves(agent: Agent): Promise<boolean> {
  const cancel = after(PATIENCE_MS, () => void sayWhoHears(agent).catch(() => undefined));
  try {
    const done = await within(agent.leave(), LEAVE_TIMEOUT_MS);
    if (!done) printError("==> Not done in time: other servers may see this one as failed");
    return done;
  } catch (error) {
    printError(`==> Error leaving: ${errorText(error)}`);
    return false;
  } finally {
    cancel();
  }
}

async function sayWhoHears(agent: Agent): Promise<void> {
  const others = await agent.otherServers();
  if (others.length === 0) return;
  announce(`==> Waiting for ${inWords(others)} to hear that this server leaves ...`);
}

/** Reads the same files again, one reload at a time; what cannot be used changes nothing. */
class Reloads {
  readonly #load: () => Promise<LoadedConfig>;
  #last: Promise<unknown> = Promise.resolve();
  /** Undefined while it starts. */
  agent: Agent | undefined;

  constructor(load: () => Promise<LoadedConfig>) {
    this.#load = load;
  }

  /** @throws Error with everything that is wrong, as at start */
  run(): Promise<ReloadReport> {
    const next = this.#last.then(() => this.#once());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #once(): Promise<ReloadReport> {
    const { agent } = this;
    if (agent === undefined) throw new Error("the agent has not started yet");
    try {
      const loaded = await this.#load();
      const { material, warnings } = await checkConfig(loaded);
      if (warnings.length > 0) printError(loaded.render(warnings));
      return agent.reload(loaded.config, material);
    } catch (error) {
      if (error instanceof LoadError) throw new Error(error.text);
      throw error;
    }
  }
}

function within(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = after(timeoutMs, () => resolve(false));
    work.finally(cancel).then(() => resolve(true), reject);
  });
}

function hasMode(flags: AgentFlags): boolean {
  return [flags.dev, flags.devTls, flags.server, flags.client].some((flag) => flag === true);
}

function readConfig(flags: AgentFlags, dev: DevTls | undefined): Promise<LoadedConfig> {
  const devMode = flags.dev === true || flags.devTls === true;
  const values = { ...flagValues(flags), ...keyFlagValues({ ...flags }) };
  const given = [flagBlock(dev?.settings ?? {}), flagBlock(values)];
  return loadConfig({ paths: flags.config ?? [], flags: given, devMode, parse: parseInChild });
}

function flagValues(flags: AgentFlags): FlagValues {
  return {
    "server.enabled": flags.server,
    "client.enabled": flags.client,
    bind_addr: flags.bind,
    region: flags.region,
    datacenter: flags.dc,
    name: flags.node,
    data_dir: flags.dataDir,
    log_level: flags.logLevel,
    log_json: flags.logJson,
    "server.bootstrap_expect": flags.bootstrapExpect,
    "server.encrypt": flags.encrypt,
    "server.server_join.start_join": flags.join,
    "server.server_join.retry_join": flags.retryJoin,
    "server.server_join.retry_max": flags.retryMax,
    "server.server_join.retry_interval": flags.retryInterval,
    "server.rejoin_after_leave": flags.rejoin,
    "client.servers": flags.servers?.split(","),
    "client.node_class": flags.nodeClass,
    "client.node_pool": flags.nodePool,
    "client.meta": flags.meta === undefined ? undefined : metaMap(flags.meta),
  };
}

function metaMap(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw new CommandError(`-meta must be key=value, found '${pair}'`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}
