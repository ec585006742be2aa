/** Event streams: what two hundred of them cost a server, and how soon all hear of one change. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuMs, type Report } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const IP = "127.0.96.1";
const STREAMS = 200;
const CHANGES = 41;
/** What a start leaves to do. */
const SETTLE_MS = 12_000;

export async function benchEvents(report: Report): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const file = join(directory, "agent.json");
  const config = {
    ...{ name: "bench", bind_addr: IP, data_dir: join(directory, "data") },
    ...{ server: { enabled: true, bootstrap_expect: 1 }, limits: { http_max_conns_per_client: 0 } },
  };
  writeFileSync(file, JSON.stringify(config));
  const child = Bun.spawn([BINARY, "agent", `-config=${file}`], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const stop = new AbortController();
  try {
    await Bun.sleep(SETTLE_MS);
    const before = residentKb(child.pid);
    const heard = new Heard();
    for (let i = 0; i < STREAMS; i++) heard.follow(stop.signal);
    await heard.all("{}");
    report(
      `${STREAMS} event streams: memory`,
      `${((residentKb(child.pid) - before) / 1024).toFixed(0)} MB`,
      "",
    );
    const times: number[] = [];
    const cpuBefore = cpuMs(child.pid);
    for (let i = 0; i < CHANGES; i++) {
      const Name = `p${i}`;
      const start = performance.now();
      const body = JSON.stringify({ Name });
      const told = heard.all(`"Key":"${Name}"`);
      const { status } = await fetch(`${URL}/v1/node/pools`, { method: "PUT", body });
      if (status !== 200) throw new Error(`a node pool: ${status}`);
      await told;
      times.push(performance.now() - start);
    }
    report("... one change, until all have heard", `${median(times).toFixed(1)} ms`, "");
    const each = (cpuMs(child.pid) - cpuBefore) / CHANGES;
    report("... CPU of one change", `${each.toFixed(1)} ms`, "");
  } finally {
    stop.abort();
    child.kill("SIGKILL");
    await child.exited;
    rmSync(directory, { recursive: true, force: true });
  }
}

const URL = `http://${IP}:4646`;

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** All who listen. */
class Heard {
  #wanted = "";
  #left = 0;
  #streams = 0;
  #done: (() => void) | undefined;

  follow(signal: AbortSignal): void {
    this.#streams += 1;
    void this.#read(signal).catch(() => undefined);
  }

  /** Resolves when each of them has had a line with this in it. */
  async all(wanted: string): Promise<void> {
    this.#wanted = wanted;
    this.#left = this.#streams;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#done = resolve;
    await promise;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { body } = await fetch(`${URL}/v1/event/stream?topic=NodePool`, { signal });
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) {
      if (!decoder.decode(chunk).includes(this.#wanted)) continue;
      this.#left -= 1;
      if (this.#left === 0) this.#done?.();
    }
  }
}
