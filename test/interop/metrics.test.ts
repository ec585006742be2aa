/**
 * Metrics beside HashiCorp's go-metrics: the same points, named, filtered and sent by both, arrive as
 * the same lines; and what the compiled agent says of itself, read by Prometheus' own linter.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { openDatagramOutlet, openStreamOutlet } from "../../src/host/outlet.ts";
import { type Dialect, MetricSender } from "../../src/service/telemetry/sender.ts";
import { type MetricNaming, type MetricPoint, namedPoint } from "../../src/wire/metric-line.ts";
import { NET } from "../addresses.ts";
import { getJson, Lab, until } from "../cluster/agents.ts";
import { ManualClock } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";
import { buildPeer, mustRun } from "./go.ts";

setDefaultTimeout(60_000);

const IP = `${NET}.74.1`;
const NODE = "node.1";
const TAGS = ["env:test", "plain"];
const DIALECTS = ["statsd", "statsite", "datadog"] as const;
const lab = new Lab();

/** Sockets that keep the lines they get, and the longest packet. */
class Collector implements AsyncDisposable {
  readonly lines: Record<Dialect, string[]> = { statsd: [], statsite: [], datadog: [] };
  longest = 0;
  #tcp: Server | undefined;
  readonly #udp: { close(): void }[] = [];

  async listen(ip: string): Promise<Record<Dialect, string>> {
    const udp = async (dialect: Dialect): Promise<string> => {
      const data = (_socket: unknown, bytes: Buffer): void => {
        this.longest = Math.max(this.longest, bytes.length);
        this.#take(dialect, bytes.toString());
      };
      const socket = await Bun.udpSocket({ hostname: ip, binaryType: "buffer", socket: { data } });
      this.#udp.push(socket);
      return `${ip}:${socket.port}`;
    };
    const tcp = createServer((socket) => {
      let pending = "";
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        const whole = (pending + chunk.toString()).split("\n");
        pending = whole.pop() ?? "";
        this.#take("statsite", whole.join("\n"));
      });
    });
    this.#tcp = tcp;
    const port = await new Promise<number>((resolve) => {
      tcp.listen({ host: ip, port: 0 }, () => {
        const bound = tcp.address();
        resolve(typeof bound === "object" ? (bound?.port ?? 0) : 0);
      });
    });
    return {
      statsd: await udp("statsd"),
      datadog: await udp("datadog"),
      statsite: `${ip}:${port}`,
    };
  }

  /** Datadog's client counts itself, too. */
  #take(dialect: Dialect, text: string): void {
    const lines = text.split("\n").filter((line) => line !== "");
    this.lines[dialect].push(...lines.filter((line) => !line.startsWith("datadog.")));
  }

  sorted(): Record<Dialect, readonly string[]> {
    const { statsd, statsite, datadog } = this.lines;
    return {
      statsd: statsd.toSorted(),
      statsite: statsite.toSorted(),
      datadog: datadog.toSorted(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#udp) socket.close();
    this.#tcp?.close();
  }
}

const VALUES = [0, 1, 0.1, -1.5, 0.0078125, 1e-7, 16_777_217, 3_000_000_000, 1.1e20, 1 / 3, 1e10];
const NAMES = ["raft.peers", "runtime.alloc_bytes", "serf.queries.a b", "rpc.x:y", NODE, "a.b-c/d"];
const LABELS = [
  [],
  [["state", "alive"]],
  [
    ["a:b", "c d"],
    ["empty", ""],
  ],
] as const;

const POINTS: readonly MetricPoint[] = NAMES.flatMap((name, i) =>
  VALUES.flatMap((value, j) =>
    (["counter", "gauge"] as const).map((kind) => ({
      parts: ["nomad", ...(name === NODE ? [NODE, "up"] : name.split("."))],
      kind,
      value: kind === "counter" ? Math.min(Math.abs(Math.round(value)), 2 ** 40) : value,
      labels: (LABELS[(i + j) % LABELS.length] ?? []).map(([label, text]) => ({
        ...{ name: label, value: text },
      })),
    })),
  ),
);

const OPEN = { prefixFilter: [], filterDefault: true };
const CASES: Readonly<Record<string, MetricNaming>> = {
  "a host as a label": { ...OPEN, host: "h.example", hostAsLabel: true },
  "a host in names": { ...OPEN, host: NODE, hostAsLabel: false },
  "no host": { ...OPEN, host: "", hostAsLabel: false },
  filters: {
    ...{ host: "h", hostAsLabel: true, filterDefault: false },
    prefixFilter: ["+nomad.raft", "-nomad.raft.pe", "+nomad.serf", "-nomad.serf", "+nomad.rpc"],
  },
  "filters on names with a host": {
    ...{ host: "h", hostAsLabel: false, filterDefault: true },
    prefixFilter: ["-nomad.h", "+nomad.h.runtime"],
  },
};

let oracle = "";
beforeAll(() => {
  if (mustRun) oracle = buildPeer("metrics-oracle", ".", "metrics-oracle");
});
afterAll(() => lab[Symbol.asyncDispose]());

function sendOurs(to: Record<Dialect, string>, naming: MetricNaming): readonly MetricSender[] {
  const points = POINTS.flatMap((point) => namedPoint(point, naming) ?? []);
  return DIALECTS.map((dialect) => {
    const address = to[dialect];
    const sender = new MetricSender({
      ...{ dialect, address, tags: TAGS, node: NODE, log: silent, dropped: new Map() },
      open: (lost) =>
        (dialect === "statsite" ? openStreamOutlet : openDatagramOutlet)(address, lost),
      clock: new ManualClock(),
    });
    sender.send(points);
    return sender;
  });
}

function askedOf(to: Record<Dialect, string>, naming: MetricNaming): string {
  const rules = (sign: string): string[] =>
    naming.prefixFilter.filter((rule) => rule.startsWith(sign)).map((rule) => rule.slice(1));
  return JSON.stringify({
    ...{ Statsd: to.statsd, Statsite: to.statsite, Datadog: to.datadog, Node: NODE, Tags: TAGS },
    ...{ Host: naming.host, HostAsLabel: naming.hostAsLabel },
    ...{ Allowed: rules("+"), Blocked: rules("-"), FilterDefault: naming.filterDefault },
    Points: POINTS.map(({ parts, kind, value, labels }) => ({
      ...{ Key: parts.slice(1), Kind: kind, Value: value },
      Labels: labels.map((label) => ({ Name: label.name, Value: label.value })),
    })),
  });
}

for (const [name, naming] of Object.entries(CASES)) {
  test.skipIf(!mustRun)(`the same lines as go-metrics': ${name}`, async () => {
    await using ours = new Collector();
    await using theirs = new Collector();
    const [to, from] = [await ours.listen("127.0.0.1"), await theirs.listen("127.0.0.1")];
    const senders = sendOurs(to, naming);
    const run = Bun.spawn([oracle, "emit"], {
      stdin: Buffer.from(askedOf(from, naming)),
      stderr: "inherit",
    });
    expect(await run.exited).toBe(0);
    const expected = POINTS.flatMap((point) => namedPoint(point, naming) ?? []).length;
    expect(expected).toBeGreaterThan(20);
    for (const dialect of DIALECTS) {
      await until(`${expected} lines of ${dialect}`, () => {
        return [ours, theirs].every((one) => one.lines[dialect].length >= expected);
      });
    }
    expect(ours.sorted()).toEqual(theirs.sorted());
    expect(ours.longest).toBeLessThanOrEqual(1432);
    for (const sender of senders) sender.close();
  });
}

test.skipIf(!mustRun)("the agent sends, shows and filters its own", async () => {
  await using all = new Collector();
  const to = await all.listen(IP);
  const telemetry = {
    collection_interval: "200ms",
    in_memory_collection_interval: "1s",
    statsd_address: to.statsd,
    statsite_address: to.statsite,
    datadog_address: to.datadog,
    datadog_tags: TAGS,
    prefix_filter: ["-nomad.memberlist.packets"],
  };
  const agent = await lab.agent({ name: "m1", ip: IP, extra: { telemetry } });
  const host = hostname();
  const has = (dialect: Dialect, start: string): boolean =>
    all.lines[dialect].some((line) => line.startsWith(start));
  for (const dialect of ["statsd", "statsite"] as const) {
    await until(dialect, () => has(dialect, `nomad.serf.members.alive.${host}:1.000000|g`));
    await until(dialect, () => has(dialect, `nomad.serf.member.join.${host}:1.000000|c`));
  }
  await until("datadog", () =>
    has("datadog", `nomad.serf.members:1|g|#${TAGS.join(",")},state:alive,host:${host}`),
  );
  expect(all.longest).toBeLessThanOrEqual(1432);
  expect(has("statsd", "nomad.memberlist.packets")).toBe(false);
  const joins = await until("an interval is over", async () => {
    const json = await getJson(IP, "/v1/metrics");
    const names = json.Gauges.map(({ Name }: { Name: string }) => Name);
    expect(names).toEqual(names.toSorted());
    expect(JSON.stringify(json)).not.toContain("nomad.memberlist.packets");
    return json.Counters.find(({ Name }: { Name: string }) => Name === "nomad.serf.member.join");
  });
  expect(joins).toMatchObject({ Count: 1, Sum: 1, Mean: 1, Rate: 1, Labels: { host } });
  expect(
    (await getJson(IP, "/v1/status")).in_clear.map(({ what }: { what: string }) => what),
  ).toEqual(["gossip", "rpc", "http"]);
  const text = await (await fetch(`http://${IP}:4646/v1/metrics?format=prometheus`)).text();
  expect(text).not.toContain("nomad_memberlist_packets");
  const lint = Bun.spawn([oracle, "lint"], { stdin: Buffer.from(text), stdout: "pipe" });
  const { Families, Problems } = JSON.parse(await new Response(lint.stdout).text());
  expect(Families).toBeGreaterThan(30);
  // What Prometheus would call otherwise are Nomad's own names.
  const told = (Problems ?? []).map((one: { Text: string }) => one.Text);
  expect(
    told.filter((one: string) => !/_total|snake_case|abbreviated|base unit/.test(one)),
  ).toEqual([]);
  await agent.stop();
});

test("nobody there, or somebody who reads nothing, is no harm to the agent", async () => {
  const telemetry = {
    collection_interval: "100ms",
    statsd_address: "127.0.0.1:9",
    statsite_address: "198.51.100.7:9",
    datadog_address: "unix:///nowhere/dsd.sock",
  };
  const ip = `${NET}.74.2`;
  await lab.agent({ name: "m2", ip, extra: { telemetry } });
  const { in_clear, encrypted } = await until("it is up", () => getJson(ip, "/v1/status"));
  expect(encrypted).toBe(false);
  const why = in_clear.find(({ what }: { what: string }) => what === "telemetry").why;
  expect(why).toBe("telemetry.statsite_address: metrics go to 198.51.100.7:9 in the clear");
  await until("it is said", () => lab.log("m2").includes("no metrics go to datadog"));
  await until("it is counted", async () => {
    const text = await (await fetch(`http://${ip}:4646/v1/metrics?format=prometheus`)).text();
    return text.includes('nomad_agent_telemetry_dropped{sink="datadog"');
  });
  expect(lab.log("m2")).toContain("==> WARNING: telemetry.statsite_address: metrics go to 198");
});
