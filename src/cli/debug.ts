/**
 * `nomad operator debug`: what whoever is asked for help wants to know, in one archive: what agents
 * say of themselves and each other, several times, and their logs meanwhile. There is no secret in
 * it: agents show none, and what this command was called with is written without its token.
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import { describeErrno } from "../host/network.ts";
import { after } from "../host/timer.ts";
import { PATHS } from "../paths.ts";
import { formatDurationMs, parseDurationMs } from "../wire/duration.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { DebugArchive } from "./debug-archive.ts";
import { type DebugTargets, debugTargets } from "./debug-targets.ts";
import { CommandError, print } from "./output.ts";
import { versionText } from "./version.ts";

interface DebugFlags extends ApiFlags {
  readonly duration?: string;
  readonly interval?: string;
  readonly logLevel?: string;
  readonly maxNodes?: string;
  readonly nodeClass?: string;
  readonly nodeId?: string;
  readonly serverId?: string;
  readonly eventTopic?: string;
  readonly eventIndex?: string;
  readonly stale?: boolean;
  readonly output?: string;
  readonly verbose?: boolean;
}

/** Once, of the agent that is asked. */
const CLUSTER: Readonly<Record<string, string>> = {
  "agent-self": PATHS.agentSelf,
  encryption: PATHS.encryption,
  leader: PATHS.statusLeader,
  members: PATHS.agentMembers,
  namespaces: PATHS.namespaces,
  nodes: PATHS.nodes,
  regions: PATHS.regions,
};
/** Again and again. */
const INTERVAL: Readonly<Record<string, string>> = {
  metrics: PATHS.metrics,
  "node-pools": PATHS.nodePools,
  nodes: PATHS.nodes,
  "operator-autopilot-health": PATHS.autopilotHealth,
  "operator-raft": PATHS.raftConfiguration,
  status: PATHS.status,
};
/** Of one log. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const INTERVALS_MAX = 10_000;

export async function operatorDebug(flags: DebugFlags): Promise<void> {
  const durationMs = durationOf("duration", flags.duration ?? "2m");
  const intervalMs = Math.min(
    durationOf("interval", flags.interval ?? "30s"),
    flags.interval === undefined ? durationMs : Number.POSITIVE_INFINITY,
  );
  if (intervalMs > durationMs) {
    const [short, long] = [durationMs, intervalMs].map(formatDurationMs);
    throw new CommandError(`Error parsing interval: ${long} is greater than duration ${short}`);
  }
  if (durationMs / intervalMs > INTERVALS_MAX) {
    throw new CommandError(`-interval: more than ${INTERVALS_MAX} of them are in -duration`);
  }
  const client = new ApiClient(flags, process.env);
  const targets = await debugTargets(client, flags);
  const archive = new DebugArchive(new Date());
  const run = new DebugRun(client, archive, flags);
  print(introduction(client, targets, intervalMs, durationMs));
  await run.gather(targets, intervalMs, durationMs);
  for (const error of flags.verbose === true ? archive.errors : []) print(`    ${error}`);
  try {
    if (flags.output === undefined) {
      print(`Created debug archive: ${await archive.writeArchive()}`);
    } else print(`Created debug directory: ${archive.writeFolder(flags.output)}`);
  } catch (error) {
    throw new CommandError(`Error creating the archive: ${describeErrno(error)}`);
  }
}

function durationOf(name: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= 100) return ms;
  throw new CommandError(`Error parsing ${name}: ${text}: a duration such as 30s, from 100ms on`);
}

function introduction(
  client: ApiClient,
  { servers, nodes, known }: DebugTargets,
  intervalMs: number,
  durationMs: number,
): string {
  return [
    "Starting debugger...\n",
    ...[versionText(), ""],
    `          Address: ${client.addressText}`,
    `          Servers: (${servers.length}/${known.servers}) [${servers.join(" ")}]`,
    `          Clients: (${nodes.length}/${known.nodes}) [${nodes.join(" ")}]`,
    `         Interval: ${formatDurationMs(intervalMs)}`,
    `         Duration: ${formatDurationMs(durationMs)}`,
    "\nCapturing cluster data...",
  ].join("\n");
}

class DebugRun {
  readonly #client: ApiClient;
  readonly #archive: DebugArchive;
  readonly #flags: DebugFlags;
  readonly #stop = new AbortController();

  constructor(client: ApiClient, archive: DebugArchive, flags: DebugFlags) {
    this.#client = client;
    this.#archive = archive;
    this.#flags = flags;
  }

  /** Until the time is over, or Ctrl-C: what is there by then is kept. */
  async gather(targets: DebugTargets, intervalMs: number, durationMs: number): Promise<void> {
    const { signal } = this.#stop;
    process.once("SIGINT", () => this.#stop.abort());
    const cancel = after(durationMs, () => this.#stop.abort());
    this.#archive.add("cluster/cli-flags.json", this.#given());
    const streams = this.#streams(targets);
    for (const [name, path] of Object.entries(CLUSTER)) await this.#save(`cluster/${name}`, path);
    await Promise.all(this.#hosts(targets));
    for (let count = 0; !signal.aborted; count++) {
      const number = String(count).padStart(4, "0");
      print(`    Capture interval ${number}`);
      for (const [name, path] of Object.entries(INTERVAL)) {
        if (!signal.aborted) await this.#save(`interval/${number}/${name}`, path);
      }
      await pause(intervalMs, signal);
    }
    cancel();
    await Promise.all(streams);
  }

  /** What this command was called with. */
  #given(): string {
    const shown = Object.entries(this.#flags).filter(([name]) => name !== "token");
    return `${JSON.stringify(Object.fromEntries(shown), null, 2)}\n`;
  }

  /** Logs and events, as they come. */
  #streams({ servers, nodes }: DebugTargets): readonly Promise<void>[] {
    const level = this.#flags.logLevel ?? "DEBUG";
    const logs = [
      ...servers.map((name) => ["server", name, "server_id"] as const),
      ...nodes.map((id) => ["client", id, "node_id"] as const),
    ].map(([kind, name, key]) => {
      const query = new URLSearchParams({ plain: "true", log_level: level, [key]: name });
      return this.#follow(
        `${kind}/${fileName(name)}/monitor.log`,
        `${PATHS.agentMonitor}?${query}`,
      );
    });
    const { eventTopic = "none", eventIndex = "0" } = this.#flags;
    if (eventTopic === "none") return logs;
    const query = new URLSearchParams({ index: eventIndex });
    const topics = eventTopic === "all" ? ["*"] : eventTopic.split(",");
    for (const topic of topics) query.append("topic", topic);
    return [...logs, this.#follow("cluster/eventstream.json", `${PATHS.eventStream}?${query}`)];
  }

  #hosts({ servers, nodes }: DebugTargets): readonly Promise<void>[] {
    const ask = (kind: string, name: string, key: string): Promise<void> => {
      const query = new URLSearchParams({ [key]: name });
      return this.#save(`${kind}/${fileName(name)}/agent-host`, `/v1/agent/host?${query}`);
    };
    return [
      ...servers.map((name) => ask("server", name, "server_id")),
      ...nodes.map((id) => ask("client", id, "node_id")),
    ];
  }

  async #save(file: string, path: string): Promise<void> {
    const stale = this.#flags.stale === true ? `${path.includes("?") ? "&" : "?"}stale=true` : "";
    try {
      // A group that is not well is a 429, and what was asked for.
      const { status, body } = await this.#client.send("GET", `${path}${stale}`, { quiet: true });
      if (status !== 200 && status !== 429) {
        this.#archive.fail(file, `Unexpected response code: ${status} (${body.trim()})`);
      } else if (!this.#archive.add(`${file}.json`, body)) this.#full(file);
    } catch (error) {
      this.#archive.fail(file, errorText(error));
    }
  }

  async #follow(file: string, path: string): Promise<void> {
    const one = new AbortController();
    const stop = AbortSignal.any([this.#stop.signal, one.signal]);
    let left = LOG_BYTES_MAX;
    const piece = (bytes: Uint8Array): void => {
      left -= bytes.length;
      if (left > 0 && this.#archive.add(file, bytes)) return;
      this.#archive.fail(file, "it goes on, and there is no room for more");
      one.abort();
    };
    await this.#client.ok("GET", path, { piece, stop }).catch((error: unknown) => {
      if (!stop.aborted) this.#archive.fail(file, errorText(error));
    });
  }

  #full(file: string): void {
    this.#archive.fail(file, "there is no room for it");
    this.#stop.abort();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const cancel = after(ms, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
  });
}

/** Names come from members: none leads out of the folder. */
function fileName(name: string): string {
  return encodeURIComponent(name).replaceAll(/^\.+/g, "_");
}
