/** What clients of three compiled servers asked and heard while leaders died, before porcupine. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, until } from "../cluster/agents.ts";
import { makeCa, serverTls } from "../cluster/certificates.ts";
import { readNode, writeNode } from "../cluster/register.ts";
import { serverPool } from "../cluster/rpc-pool.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(120_000);

const IPS = [`${NET}.84.1`, `${NET}.84.2`, `${NET}.84.3`] as const;
const KILLS = 4;
const PAUSES = 5;
const REGISTERS = 8;

const lab = new Lab();
const agents = new Map<string, Agent>();
let tls: Record<string, unknown>;
let pool: RpcPool;

interface Operation {
  readonly register: number;
  readonly kind: "read" | "write";
  readonly value: string;
  readonly call: number;
  /** undefined: it failed, and may have happened, or may yet. */
  readonly return: number | undefined;
}

async function start(ip: string): Promise<void> {
  const join = IPS.filter((one) => one !== ip);
  const name = `h${ip.split(".").at(-1)}`;
  agents.set(ip, await lab.agent({ name, ip, tls, join, server: { bootstrap_expect: 3 } }));
}

async function leader(): Promise<string> {
  return until("a leader", async () => {
    for (const ip of IPS) {
      const said = await getJson(ip, "/v1/status/leader").catch(() => "");
      if (said !== "") return String(said).replace(":4647", "");
    }
    return false;
  });
}

beforeAll(async () => {
  if (!mustRun) return;
  const ca = await makeCa(lab.directory, "ca");
  tls = await serverTls(ca);
  pool = serverPool(ca);
  await Promise.all(IPS.map(start));
  await leader();
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

/** Clients that ask one server after the other, until they are stopped. */
class Clients {
  readonly operations: Operation[] = [];
  #stop = false;
  #value = 0;
  #turn = 0;
  readonly #base: number;
  readonly #loops: Promise<void>[];

  /** @param base the first of registers that nobody else has written */
  constructor(base: number, writers: number, readers: number) {
    this.#base = base;
    this.#loops = Array.from({ length: writers + readers }, (_, i) => this.#loop(i, i < writers));
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#loops);
  }

  async #loop(first: number, writes: boolean): Promise<void> {
    for (let i = first; !this.#stop; i++) {
      const ip = IPS[i % IPS.length] ?? IPS[0];
      const ok = writes ? await this.write(ip) : await this.read(ip);
      // Enough for the checker, and not a flood of failures.
      await Bun.sleep(ok ? 5 : 50);
    }
  }

  /** @param of the number of the register; else it is the next one's turn */
  async write(ip: string, of?: number): Promise<boolean> {
    this.#value += 1;
    const value = `v${this.#value}`;
    const register = this.#register(of);
    const call = performance.now();
    const ok = await writeNode(pool, ip, register, value).then(
      () => true,
      () => false,
    );
    const end = ok ? performance.now() : undefined;
    this.operations.push({ register, kind: "write", value, call, return: end });
    return ok;
  }

  async read(ip: string, of?: number): Promise<boolean> {
    const register = this.#register(of);
    const call = performance.now();
    const value = await readNode(pool, ip, register).catch(() => undefined);
    if (value === undefined) return false;
    const end = performance.now();
    this.operations.push({ register, kind: "read", value, call, return: end });
    return true;
  }

  #register(of: number | undefined): number {
    this.#turn += 1;
    return this.#base + ((of ?? this.#turn) % REGISTERS);
  }

  /**
   * A failed write that nobody saw is left out: with or without it, it is the same question. One
   * that somebody saw had happened by the time that the first of them had his answer.
   */
  history(): readonly Operation[] {
    const seenAt = new Map<string, number>();
    for (const { kind, value, return: end = 0 } of this.operations) {
      if (kind === "read") seenAt.set(value, Math.min(end, seenAt.get(value) ?? end));
    }
    return this.operations.flatMap((one) => {
      if (one.return !== undefined) return [one];
      const end = seenAt.get(one.value);
      return end === undefined ? [] : [{ ...one, return: end }];
    });
  }
}

async function judge(history: readonly Operation[]): Promise<string> {
  await using checker = await Peer.start(buildPeer("linearizable"), []);
  const verdict = await checker.ask(JSON.stringify(history));
  return verdict;
}

const countOf = (history: readonly Operation[], kind: Operation["kind"]): number =>
  history.filter((one) => one.kind === kind).length;

describe.if(mustRun)("what the clients of three servers saw is linearizable", () => {
  test("while leaders are killed", async () => {
    const clients = new Clients(0, 3, 5);
    const count = (): number => clients.operations.length;
    for (let kill = 0; kill < KILLS; kill++) {
      const before = count();
      await until("two hundred operations", () => count() > before + 200, 30_000);
      const ip = await leader();
      agents.get(ip)?.kill("SIGKILL");
      await agents.get(ip)?.exited;
      const during = count();
      await until("clients are served again", () => count() > during + 100, 30_000);
      await start(ip);
    }
    await clients.stop();
    const history = clients.history();
    expect(countOf(history, "read")).toBeGreaterThan(KILLS * 100);
    expect(countOf(history, "write")).toBeGreaterThan(KILLS * 50);
    expect(await judge(history)).toBe("ok");
    // And it would notice: a read of what was overwritten.
    const [old, newer] = history.filter((one) => one.kind === "write" && one.register === 1);
    if (old === undefined || newer === undefined) throw new Error("too few writes");
    const now = Math.max(...history.map((one) => one.return ?? 0)) + 1;
    const stale = { ...old, kind: "read", call: now, return: now + 1 } as const;
    expect(await judge([...history, stale])).toBe("illegal");
  });

  test("while leaders stand still, and wake up with questions waiting for them", async () => {
    const clients = new Clients(REGISTERS, 2, 12);
    const count = (): number => clients.operations.length;
    for (let pause = 0; pause < PAUSES; pause++) {
      const before = count();
      await until("some operations", () => count() > before + 200, 30_000);
      const ip = await leader();
      agents.get(ip)?.kill("SIGSTOP");
      const others = IPS.filter((one) => one !== ip);
      const next = await until("another one leads", async () => {
        const said = await getJson(others[0] ?? "", "/v1/status/leader?stale").catch(() => "");
        const now = String(said).replace(":4647", "");
        return now !== "" && now !== ip && now;
      });
      // What the sleeper knows of any register is old from here on, and then it is asked.
      for (let i = 0; i < REGISTERS; i++) {
        await until("a write", () => clients.write(next, i));
      }
      const asked = Array.from({ length: REGISTERS }, (_, i) => clients.read(ip, i));
      agents.get(ip)?.kill("SIGCONT");
      await Promise.all(asked);
    }
    await clients.stop();
    const history = clients.history();
    expect(countOf(history, "read")).toBeGreaterThan(PAUSES * 100);
    expect(await judge(history)).toBe("ok");
  });
});
