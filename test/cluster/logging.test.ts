/** Where the compiled agent's log goes, and what a supervisor hears of its life. */

import { afterAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { UnixListener } from "../unix-listener.ts";
import { Agent, binary, getJson, Lab, run, until } from "./agents.ts";

const IP = `${NET}.90.1`;
const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

test("a log directory, a file that is moved away, and the supervisor's socket", async () => {
  const logs = lab.path("logs");
  mkdirSync(logs);
  using supervisor = new UnixListener(lab.path("notify"));
  const file = lab.path("agent.json");
  const config = {
    name: "one",
    data_dir: lab.path("data"),
    bind_addr: IP,
    log_file: `${logs}/`,
    server: { enabled: true, bootstrap_expect: 1 },
  };
  writeFileSync(file, JSON.stringify(config));
  expect((await run(["config", "validate", file])).code).toBe(0);
  const piped = `"${await binary()}" config validate <(sleep 0.1; cat ${file})`;
  expect(Bun.spawnSync(["bash", "-c", piped]).stdout.toString()).toContain("is valid!");
  const agent = lab.add(
    Agent.start([await binary(), "agent", `-config=${file}`], {
      directory: lab.directory,
      name: "one",
      env: { NOTIFY_SOCKET: lab.path("notify") },
    }),
  );
  const heard: string[] = [];
  const hears = (text: string): Promise<unknown> => {
    return until(`the supervisor hears ${text}`, () => {
      heard.push(...supervisor.heard());
      return heard.some((one) => one.startsWith(text));
    });
  };
  await hears("READY=1");
  expect(agent.log).toContain("Nomad agent started!");
  const path = join(logs, "nomad.log");
  await until("a line", () => readFileSync(path, "utf8").includes("[INFO]"));
  renameSync(path, `${path}.1`);
  heard.length = 0;
  agent.kill("SIGHUP");
  await hears("RELOADING=1\nMONOTONIC_USEC=");
  await hears("READY=1");
  await until("a new file", () => existsSync(path));
  await until("its first line", () => readFileSync(path, "utf8").includes("[INFO]"));
  agent.kill("SIGTERM");
  await hears("STOPPING=1");
  await agent.exited;
});

test("rotation by size, with so many files as are wanted", async () => {
  const logs = lab.path("rotated");
  mkdirSync(logs);
  const extra = {
    log_file: `${logs}/`,
    log_level: "TRACE",
    log_rotate_bytes: 2000,
    log_rotate_max_files: 2,
    log_rotate_duration: "1h",
  };
  const agent = await lab.agent({ name: "two", ip: `${NET}.90.2`, extra });
  // Each request is a line.
  const talk = (): Promise<unknown> => getJson(`${NET}.90.2`, "/v1/regions");
  await until("two old files", async () => {
    await talk();
    return readdirSync(logs).length === 3;
  });
  const [first = ""] = readdirSync(logs).sort();
  expect(first).toMatch(/^nomad-\d{19}\.log$/);
  await until("the oldest is gone", async () => {
    await talk();
    return !existsSync(join(logs, first));
  });
  expect(readdirSync(logs).length).toBeLessThanOrEqual(3);
  await agent.stop();
});

test("a facility that is none, and a directory that is not there, stop the start", async () => {
  const file = lab.path("bad.json");
  for (const [extra, text] of [
    [{ syslog_facility: "LOCAL9" }, "syslog_facility: is no facility of syslog"],
    [{ log_file: "/nowhere/nomad.log" }, "/nowhere"],
  ] as const) {
    const base = { data_dir: lab.path("none"), bind_addr: IP, server: { enabled: true } };
    writeFileSync(file, JSON.stringify({ ...base, ...extra }));
    const { code, err } = await run(["agent", `-config=${file}`]);
    expect([code, err]).toEqual([1, expect.stringContaining(text)]);
  }
});
