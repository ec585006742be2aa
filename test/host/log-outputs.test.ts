/** Where log lines go besides standard output: files that are put aside, and the system's log. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogSink } from "../../src/host/log.ts";
import { LogFile, type LogRotation, logFilePath } from "../../src/host/log-file.ts";
import { connectServiceManager } from "../../src/host/notify.ts";
import { isFacility, openSyslog } from "../../src/host/syslog.ts";
import { openUnixDatagrams } from "../../src/host/unix-datagram.ts";
import { UnixListener } from "../unix-listener.ts";

const base = mkdtempSync(join(tmpdir(), "log-"));
afterAll(() => rmSync(base, { recursive: true }));
let directory = base;
let count = 0;
beforeEach(() => {
  count += 1;
  directory = join(base, String(count));
  mkdirSync(directory);
});

const NEVER: LogRotation = { bytesMax: 0, ageMsMax: 1e15, filesMax: 0 };
const files = (): string[] => readdirSync(directory).sort();
const read = (name: string): string => readFileSync(join(directory, name), "utf8");

describe("log_file", () => {
  test("a slash at the end means nomad.log in that directory", () => {
    expect(logFilePath(`${directory}/`)).toBe(join(directory, "nomad.log"));
    expect(logFilePath(join(directory, "other.txt"))).toBe(join(directory, "other.txt"));
    expect(logFilePath("/not/there/")).toBe("/not/there/nomad.log");
  });

  test("is appended to, and closed to others than the group", () => {
    for (const text of ["one", "two"]) {
      const file = new LogFile(join(directory, "a.log"), NEVER);
      file.line(undefined, text);
      file.close();
    }
    expect(read("a.log")).toBe("one\ntwo\n");
    expect(statSync(join(directory, "a.log")).mode & 0o7).toBe(0);
  });

  test("too many bytes: the file is put aside, named by the time, and only so many are kept", () => {
    let now = 1_800_000_000_000;
    const file = new LogFile(`${directory}/`, { ...NEVER, bytesMax: 10, filesMax: 2 }, () => now);
    for (const text of ["123456789", "b23456789", "c", "d23456789", "e23456789"]) {
      now += 1;
      file.line(undefined, text);
    }
    file.close();
    expect(files()).toEqual([
      "nomad-1800000000003000000.log",
      "nomad-1800000000005000000.log",
      "nomad.log",
    ]);
    expect(read("nomad-1800000000005000000.log")).toBe("c\nd23456789\n");
    expect(read("nomad.log")).toBe("e23456789\n");
  });

  test("what was there before a restart counts, and other files are left alone", () => {
    const other = new LogFile(join(directory, "nomad-notes.log"), NEVER);
    other.line(undefined, "mine");
    other.close();
    for (let i = 0; i < 3; i++) {
      const now = 1_800_000_000_000 + i;
      const file = new LogFile(`${directory}/`, { ...NEVER, bytesMax: 4, filesMax: 1 }, () => now);
      file.line(undefined, `line ${i}`);
      file.close();
    }
    expect(files()).toEqual(["nomad-1800000000002000000.log", "nomad-notes.log", "nomad.log"]);
    expect(read("nomad.log")).toBe("line 2\n");
  });

  test("a file for others to read not at all, and a device that is not put aside", () => {
    const file = new LogFile(join(directory, "audit.log"), NEVER, Date.now, 0o600);
    file.append("a");
    file.close();
    expect(statSync(join(directory, "audit.log")).mode & 0o777).toBe(0o600);
    const full = new LogFile("/dev/full", { ...NEVER, bytesMax: 1, ageMsMax: 1 });
    expect(() => full.append("a line")).toThrow("ENOSPC");
    full.line(undefined, "nobody hears of it");
    full.close();
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  });

  test("too old: put aside at the next line", () => {
    let now = Date.now();
    const file = new LogFile(join(directory, "plain"), { ...NEVER, ageMsMax: 60_000 }, () => now);
    file.line(undefined, "a");
    now += 59_000;
    file.line(undefined, "b");
    now += 2000;
    file.line(undefined, "c");
    file.close();
    const [old = "", current = ""] = files().reverse();
    expect([files().length, current, old]).toEqual([
      2,
      "plain",
      expect.stringMatching(/^plain-\d{19}\.log$/),
    ]);
    expect([read(old), read(current)]).toEqual(["a\nb\n", "c\n"]);
  });

  test("moved away: what comes after reopen() is in a new one", () => {
    const file = new LogFile(join(directory, "a.log"), NEVER);
    file.line(undefined, "before");
    renameSync(join(directory, "a.log"), join(directory, "a.log.1"));
    file.line(undefined, "still there");
    file.reopen();
    file.line(undefined, "after");
    file.close();
    expect([read("a.log.1"), read("a.log")]).toEqual(["before\nstill there\n", "after\n"]);
  });

  test("a directory that is gone costs lines, and they come back with it", () => {
    const file = new LogFile(join(directory, "a.log"), NEVER);
    rmSync(directory, { recursive: true });
    file.reopen();
    file.line(undefined, "lost");
    mkdirSync(directory);
    file.line(undefined, "found");
    file.close();
    expect(read("a.log")).toBe("found\n");
  });
});

describe("syslog", () => {
  test("lines come with facility, severity, and without a time of their own", async () => {
    const path = join(directory, "log");
    using listener = new UnixListener(path);
    const output = await openSyslog("local0", path);
    const sink = new LogSink({ level: "DEBUG", json: false, outputs: [output] });
    sink.hold();
    const log = sink.logger("nomad");
    log.error("it broke", { why: "a b" });
    log.info("it works");
    log.trace("not asked for");
    const [first = "", second = "", ...rest] = listener.heard();
    expect(first).toMatch(
      /^<131>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d nomad\[\d+\]: nomad: it broke: why="a b"$/,
    );
    expect(second).toMatch(/^<133>.*: nomad: it works$/);
    expect(rest).toEqual([]);
    sink.close();
  });

  test("started anew it hears again; while it is away lines are lost, and nothing else", async () => {
    const path = join(directory, "log");
    const first = new UnixListener(path);
    const datagrams = await openUnixDatagrams(path);
    first[Symbol.dispose]();
    expect(datagrams.send(Uint8Array.of(0x61))).toBe(false);
    using second = new UnixListener(path);
    expect(datagrams.send(Uint8Array.of(0x62))).toBe(true);
    expect(second.heard()).toEqual(["b"]);
    datagrams.close();
  });

  test("none there is one sentence; facilities have names", async () => {
    const path = join(directory, "none");
    await expect(openSyslog("LOCAL0", path)).rejects.toThrow(`${path}: no such file`);
    expect(["LOCAL7", "daemon", "LOCAL8", ""].map(isFacility)).toEqual([true, true, false, false]);
  });
});

describe("systemd", () => {
  for (const name of ["file", "@abstract"]) {
    test(`hears of the agent's life by ${name}`, async () => {
      const path = name === "file" ? join(directory, "notify") : `@nomad-test-${process.pid}`;
      using listener = new UnixListener(path);
      const manager = await connectServiceManager(path);
      manager.ready();
      manager.reloading();
      manager.stopping();
      expect(listener.heard()).toEqual([
        "READY=1",
        expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
        "STOPPING=1",
      ]);
    });
  }

  test("nobody asked, or nobody is there: nothing happens", async () => {
    for (const socket of [undefined, "", join(directory, "none"), "x".repeat(200)]) {
      (await connectServiceManager(socket)).ready();
    }
  });
});
