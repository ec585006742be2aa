/** HashiCorp's `serf` agent as a peer: starting it and asking it. */
import { Agent, type Json, type Lab } from "../cluster/agents.ts";
import { buildPeer } from "./go.ts";

/** What a Nomad server's tags look like, so that our agents take it for one. */
const TAGS = {
  role: "nomad",
  // One of their own: ours share theirs with servers of their kind only.
  region: "go",
  dc: "dc1",
  build: "2.0.5",
  raft_vsn: "3",
  port: "4647",
};

export class SerfPeers {
  readonly #lab: Lab;
  readonly #program: string;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#program = buildPeer("serf", "github.com/hashicorp/serf/cmd/serf");
  }

  start(name: string, ip: string, more: readonly string[] = []): Agent {
    const command = [
      this.#program,
      "agent",
      `-node=${name}`,
      `-bind=${ip}:4648`,
      `-rpc-addr=${ip}:7373`,
      "-log-level=debug",
      ...Object.entries(TAGS).map(([key, value]) => `-tag=${key}=${value}`),
      ...more,
    ];
    return this.#lab.add(Agent.start(command, { directory: this.#lab.directory, name }));
  }

  /** Runs the `serf` command against the agent at `ip`. */
  async ask(ip: string, args: readonly string[]): Promise<string> {
    const [command = "", ...rest] = args;
    const child = Bun.spawn([this.#program, command, `-rpc-addr=${ip}:7373`, ...rest], {
      stdout: "pipe",
      stderr: "pipe",
      timeout: 20_000,
    });
    const out = await new Response(child.stdout).text();
    const err = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) throw new Error(`serf ${args.join(" ")}: ${out}${err}`);
    return out;
  }

  /** Name to status. */
  async members(ip: string): Promise<Record<string, string>> {
    const { members } = JSON.parse(await this.ask(ip, ["members", "-format=json"]));
    return Object.fromEntries(members.map((one: Json) => [one.name, one.status]));
  }
}
