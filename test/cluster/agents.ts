/** The compiled binary under test: starting it, asking it, and waiting for what it should do. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY, build } from "../../build/build.ts";
import { expectDeclared } from "../answers.ts";

export const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;

/** Compiles once a run if nobody did; CI always compiles first. */
export async function binary(): Promise<string> {
  if (!existsSync(BINARY)) await build(BINARY);
  return BINARY;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; stdin?: string } = {},
): Promise<Ran> {
  const child = Bun.spawn([await binary(), ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH ?? "", ...options.env },
    stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    timeout: 120_000,
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

/** Polls until `check` gives something; a condition, not a time. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const why = last instanceof Error ? `: ${last.message}` : "";
      throw new Error(`not within ${timeoutMs} ms: ${what}${why}`);
    }
    await Bun.sleep(40);
  }
}

export class Agent {
  readonly directory: string;
  readonly #child: ReturnType<typeof Bun.spawn>;
  readonly #logPath: string;
  readonly env: Record<string, string>;

  private constructor(
    child: ReturnType<typeof Bun.spawn>,
    directory: string,
    logPath: string,
    env: Record<string, string>,
  ) {
    this.#child = child;
    this.directory = directory;
    this.#logPath = logPath;
    this.env = env;
  }

  /** @param command the whole command line; its output goes to a file */
  static start(
    command: readonly string[],
    options: { directory: string; cwd?: string; env?: Record<string, string>; name: string },
  ): Agent {
    const logPath = join(options.directory, `${options.name}.log`);
    const log = Bun.file(logPath);
    const env = options.env ?? {};
    const child = Bun.spawn([...command], {
      cwd: options.cwd ?? options.directory,
      env: { PATH: process.env.PATH ?? "", ...env },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    return new Agent(child, options.directory, logPath, env);
  }

  get log(): string {
    return existsSync(this.#logPath) ? readFileSync(this.#logPath, "utf8") : "";
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  get residentKb(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  }

  /** As the kernel has them. */
  get limits(): string {
    return readFileSync(`/proc/${this.#child.pid}/limits`, "utf8");
  }

  /** Spent so far. */
  get cpuMs(): number {
    const [user = 0, system = 0] = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
      .slice(11, 13)
      .map(Number);
    return (user + system) * 10; // Ticks of a hundredth.
  }

  /** How many are open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** Settings of one test agent, as JSON configuration. */
export interface Settings {
  readonly name: string;
  readonly ip: string;
  readonly region?: string;
  readonly encrypt?: string | undefined;
  readonly join?: readonly string[];
  readonly tls?: Record<string, unknown> | undefined;
  readonly advertise?: string;
  /** Another one than the one under test. */
  readonly binary?: string;
  /** What the command is run by: a shell that sets limits, say. */
  readonly by?: readonly string[];
  /** More of the server block. */
  readonly server?: Record<string, unknown>;
  readonly extra?: Record<string, unknown>;
}

/** A folder of its own, agents in it, and everything gone at the end. */
export class Lab {
  readonly directory = mkdtempSync(join(tmpdir(), "nomad-test-"));
  readonly #agents: Agent[] = [];

  async agent(settings: Settings): Promise<Agent> {
    const { name, ip, region = "global", encrypt, join: targets = [], tls, extra = {} } = settings;
    const advertise = settings.advertise ?? ip;
    const file = join(this.directory, `${name}.json`);
    const config = {
      name,
      region,
      data_dir: join(this.directory, `data-${name}`),
      bind_addr: ip,
      advertise: { http: ip, rpc: advertise, serf: advertise },
      log_level: "DEBUG",
      leave_on_interrupt: true,
      server: {
        enabled: true,
        ...(encrypt === undefined ? {} : { encrypt }),
        ...(targets.length === 0 ? {} : { retry_join: targets, retry_interval: "1s" }),
        ...settings.server,
      },
      ...(tls === undefined ? {} : { tls }),
      ...extra,
    };
    writeFileSync(file, JSON.stringify(config));
    const program = settings.binary ?? (await binary());
    const command = [...(settings.by ?? []), program, "agent", `-config=${file}`];
    return this.add(Agent.start(command, { directory: this.directory, name }));
  }

  add(agent: Agent): Agent {
    this.#agents.push(agent);
    return agent;
  }

  /** What an agent has said so far. */
  log(name: string): string {
    return readFileSync(join(this.directory, `${name}.log`), "utf8");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of the agent, checked by the tests' expectations
export type Json = any;

/** Plain HTTP. */
export async function getJson(ip: string, path: string): Promise<Json> {
  const response = await fetch(`http://${ip}:4646${path}`, { signal: AbortSignal.timeout(5000) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${body}`);
  const type = response.headers.get("content-type") ?? "";
  expectDeclared({ method: "GET", path, status: response.status, type, body });
  return JSON.parse(body);
}

/** `name status` of every member that the agent at `ip` sees. */
export async function membersSeenBy(ip: string): Promise<Record<string, string>> {
  const { Members } = await getJson(ip, "/v1/agent/members");
  return Object.fromEntries(Members.map((m: Json) => [m.Name, m.Status]));
}
