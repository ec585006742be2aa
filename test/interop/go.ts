/** Real peers: small Go programs over HashiCorp's modules, built once a run. */
import { mkdirSync } from "node:fs";

const DIRECTORY = new URL(".", import.meta.url).pathname;
const OUT = new URL("../../build/out/interop/", import.meta.url).pathname;

/** Outside CI a machine without Go skips these tests, with a line that says so. */
export const hasGo = Bun.which("go") !== null;
export const mustRun = hasGo || process.env.CI === "true";
if (!mustRun) console.log("interop tests are skipped: there is no `go` on the PATH");

/**
 * Builds `package` (the folder below test/interop), or an import path of a module in go.mod.
 *
 * @param module the folder of a module of its own
 */
export function buildPeer(name: string, path = `./${name}`, module = "."): string {
  mkdirSync(OUT, { recursive: true });
  const built = Bun.spawnSync(["go", "build", "-o", `${OUT}${name}`, path], {
    cwd: `${DIRECTORY}${module}`,
    stderr: "pipe",
  });
  if (!built.success) throw new Error(`go build ${path}: ${built.stderr.toString()}`);
  return `${OUT}${name}`;
}

/** A peer program: one command a line, one line of JSON back. */
export class Peer implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
    void this.#read();
  }

  static async start(
    path: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Peer> {
    const io = { stdin: "pipe", stdout: "pipe", stderr: "inherit" } as const;
    const peer = new Peer(Bun.spawn([path, ...args], { ...io, env: { ...process.env, ...env } }));
    const hello = await peer.#line();
    if (!hello.includes("ready")) throw new Error(`the peer did not start: ${hello}`);
    return peer;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Its connections stay, but nothing comes of them: for the others it is out of reach. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the peer, checked by the expectations
  async ask(command: string): Promise<any> {
    this.#child.stdin.write(`${command}\n`);
    await this.#child.stdin.flush();
    return JSON.parse(await this.#line());
  }

  async members(): Promise<Record<string, string>> {
    return (await this.ask("members")).members;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  #line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the peer says nothing")), 20_000);
      this.#waiting.push((text) => {
        clearTimeout(timer);
        resolve(text);
      });
    });
  }

  async #read(): Promise<void> {
    let pending = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      pending += decoder.decode(chunk, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#lines.push(line);
        else waiting(line);
      }
    }
  }
}
