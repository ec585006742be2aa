/** What the commands of the compiled binary make of an agent's answers: of any agent's, Nomad's too. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, run } from "./agents.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-test-"));
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Fake {
  readonly address: string;
  /** Method and path of what was asked, and the bodies. */
  readonly asked: string[];
  readonly bodies: string[];
}

type Answer = readonly [status: number, body: unknown, delayMs?: number];

/** Bodies, for answers that look at them. */
const sent = new WeakMap<IncomingMessage, string>();

/** An agent that says what the test wants. */
async function fake(
  answers: (path: string, incoming: IncomingMessage) => Answer | undefined,
  socketPath?: string,
): Promise<Fake> {
  const asked: string[] = [];
  const bodies: string[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of incoming) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const { method = "", url = "" } = incoming;
    asked.push(`${method} ${url}`);
    const text = Buffer.concat(chunks).toString();
    bodies.push(text);
    sent.set(incoming, text);
    const [status, body, delayMs = 0] = answers(url, incoming) ?? [404, ""];
    await Bun.sleep(delayMs);
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  open.push(server);
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const at = server.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  return { address: `http://127.0.0.1:${port}`, asked, bodies };
}

function member(name: string, region: string, last: number): object {
  const Tags = { region, dc: "dc1", port: "4647", build: "2.0.5", raft_vsn: "3" };
  return { Name: name, Addr: `10.0.0.${last}`, Port: 4648, Status: "alive", Tags };
}

test("an unhealthy group: the table, and exit code 1", async () => {
  const StableSince = "2026-01-01T00:00:00Z";
  const silent = { Name: "s2.global", Healthy: false, StableSince, LastContact: "-1ns" };
  const Servers = [{ Name: "s1.global", Healthy: false, StableSince }, silent];
  const health = { Healthy: false, FailureTolerance: 0, Leader: "x", Voters: [], Servers };
  const { address } = await fake(() => [429, health]);
  for (const flags of [[], ["-json=true"]]) {
    const args = ["operator", "autopilot", "health", `-address=${address}`, ...flags];
    const { code, out, err } = await run(args);
    expect([code, err]).toEqual([1, ""]);
    expect(out).toContain("s1.global");
    // One that has never answered is not as good as heard just now.
    expect(out).toMatch(flags.length === 0 ? /s2\.global .* never / : /-1ns/);
  }
});

test("where there is no leader, every command says when there is one", async () => {
  const { address } = await fake(() => [500, "No cluster leader"]);
  for (const command of [
    ["operator", "raft", "list-peers"],
    ["operator", "autopilot", "get-config"],
    ["operator", "snapshot", "save", join(directory, "none.snap")],
    ["node", "status"],
  ]) {
    const { code, err } = await run([...command, `-address=${address}`]);
    expect([command, code]).toEqual([command, 1]);
    expect(err).toMatch(/\(No cluster leader\)\nServers elect a leader when .*\nafterwards while/);
  }
});

test("without gossip encryption the keyring commands say what is missing, and no more", async () => {
  const { address } = await fake((path) => {
    if (path.startsWith("/v1/agent/members")) return [200, { Members: [] }];
    return [500, "1/1 nodes reported failure: a.global: Keyring is empty (encryption not enabled)"];
  });
  for (const args of [["list"], ["rotate"], ["use", "HBBQFkIbz3xTx2WNojw77w=="]]) {
    const { code, err } = await run([
      ...["operator", "gossip", "keyring", ...args],
      `-address=${address}`,
    ]);
    expect(code).toBe(1);
    expect(err).toContain("encryption not enabled)");
    expect(err).toContain("set server.encrypt to the output of `nomad keygen`, on every server");
    expect(err).not.toContain("rotation stopped");
  }
});

test("what a peer chose neither moves the cursor nor begins a line", async () => {
  const Members = [member("\u001b[2J\u009bx\nb", "eu\r", 1)];
  const { address } = await fake((path) => {
    return path === "/v1/agent/members" ? [200, { Members }] : [500, "\u001b]0;owned\u0007"];
  });
  const { out, err } = await run(["server", "members", `-address=${address}`]);
  expect(out.trim().split("\n").length).toBe(2);
  expect(out + err).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
  const json = await run(["server", "members", "-json", `-address=${address}`]);
  expect(JSON.parse(json.out)[0].Name).toBe("\u001b[2J\u009bx\nb");
});

test("a page that is no JSON is said, whoever sent it", async () => {
  const { address } = await fake(() => [200, "<html>welcome</html>"]);
  for (const words of [
    ["operator", "autopilot", "health"],
    ["server", "members"],
    ["server", "join", "a"],
  ]) {
    const { code, err } = await run([...words, `-address=${address}`]);
    expect(code).toBe(1);
    expect(err).toContain("is not JSON: is that an agent's HTTP API?");
  }
});

describe("addresses", () => {
  const members: Answer = [200, { Members: [] }];
  test("a unix socket", async () => {
    const socket = join(directory, "n.sock");
    const { asked } = await fake(() => members, socket);
    const env = { NOMAD_ADDR: `unix://${socket}` };
    const { code, out } = await run(["server", "members"], { env });
    expect([code, out]).toEqual([0, expect.stringContaining("Name  Address")]);
    expect(asked).toEqual(["GET /v1/agent/members"]);
  });
  test("a unix socket that is not there", async () => {
    const { code, err } = await run(["server", "members", "-address=UNIX:///nowhere/n.sock"]);
    expect(code).toBe(1);
    expect(err).toContain(
      '"unix:///nowhere/n.sock": no such file or directory\nIs the agent running',
    );
  });
  test("capital schemes", async () => {
    const { address } = await fake(() => members);
    const env = { NOMAD_ADDR: address.toUpperCase() };
    expect((await run(["server", "members"], { env })).code).toBe(0);
  });
  test("a password in it is never shown", async () => {
    const env = { NOMAD_ADDR: "http://me:geheim@127.0.0.1:9" };
    const { err } = await run(["server", "members"], { env });
    expect(err).toContain("connection refused");
    expect(err).not.toContain("geheim");
  });
  test("others are refused, with where they come from", async () => {
    for (const address of ["127.0.0.1:4646", "ftp://x", "https://", "unix://"]) {
      const { code, err } = await run(["server", "members"], { env: { NOMAD_ADDR: address } });
      expect(code).toBe(1);
      expect(err).toStartWith(`invalid address '${address}' (NOMAD_ADDR): `);
    }
  });
});

describe("server members -region", () => {
  const leaders: Readonly<Record<string, string>> = { eu: "10.0.0.2:4647", us: "10.0.0.3:4647" };
  const answers = (path: string): Answer => {
    const { pathname, searchParams } = new URL(path, "http://x");
    const list = [member("a.eu", "eu", 1), member("b.eu", "eu", 2), member("c.us", "us", 3)];
    if (pathname === "/v1/agent/members") return [200, { Members: list }];
    return [200, JSON.stringify(leaders[searchParams.get("region") ?? ""] ?? "")];
  };
  const rows = (out: string): readonly string[] => {
    const lines = out.trim().split("\n").slice(1);
    return lines.map((line) =>
      line
        .split(/ +/)
        .filter((_, i) => i === 0 || i === 4)
        .join(" "),
    );
  };
  test("all regions, each with its leader", async () => {
    const { address } = await fake(answers);
    const { out } = await run(["server", "members", `-address=${address}`]);
    expect(rows(out)).toEqual(["a.eu false", "b.eu true", "c.us true"]);
  });
  test("one region and its leader, by flag or variable", async () => {
    const { address } = await fake(answers);
    const flag = await run(["server", "members", `-address=${address}`, "-region=us"]);
    expect(rows(flag.out)).toEqual(["c.us true"]);
    const env = { NOMAD_ADDR: address, NOMAD_REGION: "eu" };
    const variable = await run(["server", "members"], { env });
    expect(rows(variable.out)).toEqual(["a.eu false", "b.eu true"]);
  });
  test("a region that nobody knows", async () => {
    const { address } = await fake(answers);
    const { code, out, err } = await run(["server", "members", `-address=${address}`, "-region=x"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain('no server of region "x" is known; regions known: eu, us');
  });
});

describe("server join and force-leave", () => {
  test("join: how many, a warning, and what went wrong", async () => {
    let answer = { num_joined: 2, error: "", warning: "" };
    const { address, asked } = await fake(() => [200, answer]);
    const join = () => run(["server", "join", `-address=${address}`, "a", "b:1"]);
    expect(await join()).toMatchObject({ code: 0, out: "Joined 2 servers successfully\n" });
    expect(asked).toEqual(["PUT /v1/agent/join?address=a&address=b%3A1"]);
    answer = { ...answer, warning: "careful" };
    const warned = "Joined 2 servers successfully but got warning: careful\n";
    expect(await join()).toMatchObject({ code: 0, out: warned });
    answer = { num_joined: 0, error: "1 error occurred:\n\t* no\n\n", warning: "" };
    expect(await join()).toMatchObject({
      code: 1,
      err: "Error joining: failed joining: 1 error occurred:\n\t* no\n",
    });
  });
  test("force-leave: a name that nobody has is no failure, and said", async () => {
    const Members = [member("a.eu", "eu", 1)];
    const { address } = await fake((path) => [200, path.endsWith("members") ? { Members } : ""]);
    const leave = (name: string) => run(["server", "force-leave", `-address=${address}`, name]);
    const warning = "==> WARNING: nothing has changed, no member is called ";
    expect(await leave("a")).toEqual({
      ...{ code: 0, out: "" },
      err: `${warning}a: did you mean a.eu?\n`,
    });
    expect(await leave("b.eu")).toEqual({ code: 0, out: "", err: `${warning}b.eu\n` });
  });
  test("force-leave: silent, -prune is passed on, a refusal is said", async () => {
    let answer: Answer = [200, ""];
    const Members = [member("a b.global", "global", 1)];
    const { address, asked } = await fake((path) => {
      return path === "/v1/agent/members" ? [200, { Members }] : answer;
    });
    const leave = (...flags: string[]) => {
      return run(["server", "force-leave", `-address=${address}`, ...flags, "a b.global"]);
    };
    expect(await leave()).toEqual({ code: 0, out: "", err: "" });
    expect(await leave("-prune")).toEqual({ code: 0, out: "", err: "" });
    expect(asked.filter((one) => one.startsWith("PUT"))).toEqual([
      "PUT /v1/agent/force-leave?node=a%20b.global",
      "PUT /v1/agent/force-leave?node=a%20b.global&prune=true",
    ]);
    answer = [403, "Permission denied"];
    expect(await leave()).toMatchObject({
      code: 1,
      err:
        "Error force-leaving server a b.global: Unexpected response code: 403 (Permission denied)\n" +
        "No token was sent: with ACLs pass one with -token (NOMAD_TOKEN), without them another certificate\n",
    });
    expect((await leave("-token=geheim")).err).toEndWith("403 (Permission denied)\n");
  });
});

describe("operator api", () => {
  test("the body as it came, whatever the status", async () => {
    const { address, asked } = await fake((path) => [path === "/v1/no" ? 404 : 200, '{"a":1}']);
    const flag = `-address=${address}`;
    expect(await run(["operator", "api", flag, "/v1/x?pretty"])).toMatchObject({
      code: 0,
      out: '{"a":1}',
    });
    expect((await run(["operator", "api", flag, "/v1/no"])).code).toBe(0);
    await run(["operator", "api", flag, "v1/y"]);
    await run(["operator", "api", `${address.replace("http://", "")}/z`]);
    expect(asked).toEqual(["GET /v1/x?pretty", "GET /v1/no", "GET /v1/y", "GET /z"]);
  });
  test("a body from stdin is posted; -X, -H, -filter and -region are passed on", async () => {
    const seen: unknown[] = [];
    const { address, asked, bodies } = await fake((_path, { headers }) => {
      seen.push([headers["x-nomad-token"], headers["x-more"]]);
      return [200, ""];
    });
    const env = { NOMAD_ADDR: address, NOMAD_TOKEN: "t1" };
    await run(["operator", "api", "/v1/x"], { env, stdin: "text" });
    const more = ["-X=DELETE", "-H", "X-More: yes", "-filter", 'a == "b"', "-region=eu"];
    await run(["operator", "api", ...more, "/v1/y"], { env });
    expect(asked).toEqual(["POST /v1/x", "DELETE /v1/y?filter=a+%3D%3D+%22b%22&region=eu"]);
    expect([bodies[0], seen]).toEqual([
      "text",
      [
        ["t1", undefined],
        ["t1", "yes"],
      ],
    ]);
  });
  test("-dryrun is a curl command, in which secrets of the environment are not", async () => {
    const env = { NOMAD_TOKEN: "geheim", NOMAD_HTTP_AUTH: "me:geheim", NOMAD_REGION: "eu" };
    const { code, out } = await run(["operator", "api", "-dryrun", "-H", "A: it's", "/v1/x"], {
      env,
    });
    expect([code, out.split(" \\\n  ")]).toEqual([
      0,
      [
        "curl",
        "-X GET",
        "-H 'A: it'\\''s'",
        '-H "X-Nomad-Token: ${NOMAD_TOKEN}"',
        '-u "$NOMAD_HTTP_AUTH"',
        "'http://127.0.0.1:4646/v1/x?region=eu'\n",
      ],
    ]);
  });
  test("-d is the body, or a file; a header that is there twice is sent twice", async () => {
    const seen: unknown[] = [];
    const { address, asked, bodies } = await fake((_path, { headers }) => {
      seen.push(headers["x-more"]);
      return [200, ""];
    });
    const file = join(directory, "body.json");
    writeFileSync(file, '{"a":1}');
    const api = (...args: string[]) => run(["operator", "api", `-address=${address}`, ...args]);
    await api("-d", "a b", "-H", "X-More: 1", "-H", "X-More: 2", "/v1/x");
    await api("-d", `@${file}`, "-X=PUT", "/v1/y");
    expect([asked, bodies]).toEqual([
      ["POST /v1/x", "PUT /v1/y"],
      ["a b", '{"a":1}'],
    ]);
    expect(seen).toEqual(["1, 2", undefined]);
    expect((await api("-d", "it's", "-dryrun", "/v1/x")).out).toContain(
      "-X POST \\\n  --data-binary 'it'\\''s'",
    );
    expect((await api("-d", "@/nowhere", "/v1/x")).err).toBe(
      "Error reading the body: open /nowhere: no such file or directory\n",
    );
  });
  test("a header of another form is refused", async () => {
    const { code, err } = await run(["operator", "api", "-H", "nonsense", "/v1/x"]);
    expect([code, err]).toEqual([
      1,
      "Headers must be in the form 'Key: Value' but found: \"nonsense\"\n",
    ]);
  });
});

test("operator metrics: as it comes, indented, or for Prometheus", async () => {
  const { address, asked } = await fake(() => [200, '{"Gauges":[]}']);
  const flag = `-address=${address}`;
  const plain = await run(["operator", "metrics", flag]);
  expect(plain).toEqual({ code: 0, out: '{"Gauges":[]}\n', err: "" });
  const json = await run(["operator", "metrics", flag, "-json"]);
  expect(json.out).toBe('{\n    "Gauges": []\n}\n');
  await run(["operator", "metrics", flag, "-pretty", "-format=prometheus"]);
  expect(asked.at(-1)).toBe("GET /v1/metrics?pretty=1&format=prometheus");
  expect((await run(["operator", "metrics", "-format=xml"])).code).toBe(1);
});

test("monitor -node-id takes the beginning of an id, as Nomad's", async () => {
  const ID = "3f1c2a52-0000-4000-8000-000000000001";
  let nodes = [{ ID, Name: "c1" }];
  const { address, asked } = await fake((path) => {
    return path.startsWith("/v1/nodes") ? [200, nodes] : [200, "a line\n"];
  });
  const watch = () => run(["monitor", `-address=${address}`, "-node-id=3f1c"]);
  expect(await watch()).toMatchObject({ code: 0, out: "a line\n" });
  expect(asked).toEqual([
    "GET /v1/nodes?prefix=3f1c",
    `GET /v1/agent/monitor?plain=true&log_level=INFO&node_id=${ID}`,
  ]);
  nodes = [];
  expect(await watch()).toMatchObject({ code: 1, err: 'No node(s) with prefix "3f1c" found\n' });
});

describe("operator gossip keyring, asked of a server that gives keys only", () => {
  const key = Buffer.alloc(32, 9).toString("base64");
  test("list shows fingerprints, and no key", async () => {
    const answer = { Keys: { [key]: 3 }, Messages: {}, NumNodes: 3 };
    const { address } = await fake(() => [200, answer]);
    const args = ["operator", "gossip", "keyring", "list", `-address=${address}`];
    const { code, out } = await run(args);
    const [says, head, row] = out
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect([code, says, head]).toEqual([
      0,
      ["Gathering installed encryption keys..."],
      ["Fingerprint", "Cipher", "Installed"],
    ]);
    expect(row).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), "AES-256", "3/3"]);
    const json = await run([...args, "-json"]);
    expect(JSON.parse(json.out).Keys).toEqual([{ Fingerprint: row?.[0], Bits: 256, Nodes: 3 }]);
    expect(out + json.out).not.toContain(key);
    expect((await run([...args, "-show-keys"])).out).toContain(key);
  });
  test("a key may come on stdin, where no list of processes shows it", async () => {
    const { address, bodies } = await fake(() => [200, { Keys: {}, Messages: {}, NumNodes: 1 }]);
    const args = ["operator", "gossip", "keyring", "install", `-address=${address}`, "-"];
    const { code, out } = await run(args, { stdin: `${key}\n` });
    expect([code, out]).toEqual([0, "Installing new gossip encryption key...\n"]);
    expect(bodies).toEqual([JSON.stringify({ Key: key })]);
  });
  test("rotate ends well", async () => {
    let keys = [key];
    const { address } = await fake((path, incoming) => {
      if (path.startsWith("/v1/agent/members")) return [200, { Members: [member("a", "eu", 1)] }];
      if (path.startsWith("/v1/agent/keyring/list")) {
        return [200, { Keys: Object.fromEntries(keys.map((one) => [one, 1])), NumNodes: 1 }];
      }
      const given: string = JSON.parse(sent.get(incoming) ?? "{}").Key;
      if (path.endsWith("install")) keys = [...keys, given];
      if (path.endsWith("remove")) keys = keys.filter((one) => one !== given);
      return [200, { Keys: {}, Messages: {}, NumNodes: 1 }];
    });
    const args = ["operator", "gossip", "keyring", "rotate", `-address=${address}`];
    const { code, out, err } = await run(args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/==> Rotated: key [0-9a-f]{16} is primary on all 1 members/);
    expect([keys.length, keys.includes(key)]).toEqual([1, false]);
  });
});

test("whom a command waits for is said after a second", async () => {
  const Members = [member("a.eu", "eu", 1), member("b.eu", "eu", 2)];
  const { address } = await fake((path) => {
    if (path === "/v1/agent/members") return [200, { Members }];
    return [200, { Keys: {}, Messages: {}, NumNodes: 2 }, 1800];
  });
  const key = Buffer.alloc(16, 1).toString("base64");
  const flag = `-address=${address}`;
  const way = `the leader of the region to answer, by way of ${address}`;
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["gossip", "keyring", "install", flag, key], "a.eu and b.eu to answer"],
    [["snapshot", "save", flag, join(directory, "slow.snap")], way],
    [["metrics", flag], `the answer of ${address}`],
  ];
  await Promise.all(
    cases.map(async ([words, whom]) => {
      const { err } = await run(["operator", ...words]);
      expect(err.split("\n")[0]).toBe(`==> Waiting for ${whom} ...`);
    }),
  );
}, 240_000);

describe("NOMAD_CAPATH", () => {
  const path = join(directory, "cas");
  beforeAll(async () => {
    mkdirSync(join(path, "below", "more"), { recursive: true });
    await run(["tls", "ca", "create"], { cwd: join(path, "below", "more") });
  });
  const members = (): Promise<{ code: number; err: string }> => {
    return run(["server", "members", "-address=https://127.0.0.1:9", `-ca-path=${path}`]);
  };
  test("a file that cannot be parsed is named", async () => {
    rmSync(join(path, "below", "more", "nomad-agent-ca-key.pem"));
    expect((await members()).err).toContain("connection refused");
    symlinkSync(path, join(path, "below", "up"));
    expect((await members()).err).toContain("connection refused");
    symlinkSync("/nowhere", join(path, "below", "lost"));
    const lost = `Error initializing client: ${path}/below/lost (-ca-path): no such file`;
    expect((await members()).err).toContain(lost);
    rmSync(join(path, "below", "lost"));
    for (const [name, text] of [
      ["1a2b3c4d.0", "nonsense"],
      ["below/x.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ] as const) {
      const file = join(path, name);
      writeFileSync(file, text);
      const { code, err } = await members();
      expect(code).toBe(1);
      expect(err).toStartWith(`Error initializing client: ${file} (-ca-path): `);
      expect(err.trim().split("\n").length).toBe(1);
      rmSync(file);
    }
  });
});

test("what cannot be written is a failure; a reader that has had enough is none", async () => {
  const { address } = await fake((path) => [200, path === "/v1/x" ? "x".repeat(1_000_000) : "{}"]);
  const sh = async (words: string): Promise<{ code: number; err: string }> => {
    const script = `set -o pipefail; ${await binary()} ${words.replace("AT", `-address=${address}`)}`;
    const child = Bun.spawn(["bash", "-c", script], { stdout: "ignore", stderr: "pipe" });
    return { code: await child.exited, err: await new Response(child.stderr).text() };
  };
  const full = { code: 1, err: expect.stringContaining("cannot write: no space left on device") };
  expect(await sh("operator metrics AT > /dev/full")).toEqual(full);
  expect(await sh("operator api AT /v1/x > /dev/full")).toEqual(full);
  expect(await sh("operator api AT /v1/x | head -c 1")).toEqual({ code: 0, err: "" });
});

test("monitor goes on until Ctrl-C, and that is no failure", async () => {
  const server = createServer((_incoming, response) => {
    response.writeHead(200);
    response.write("a line\n");
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  const child = Bun.spawn([await binary(), "monitor", `-address=http://127.0.0.1:${port}`], {
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("a line\n");
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  server.closeAllConnections();
});

test("snapshot save never overwrites a file, and asks nobody", async () => {
  const file = join(directory, "kept.snap");
  writeFileSync(file, "kept");
  const { address, asked } = await fake(() => [200, ""]);
  const { code, err } = await run(["operator", "snapshot", "save", `-address=${address}`, file]);
  expect([code, err, asked]).toEqual([1, `Destination file already exists: "${file}"\n`, []]);
});

describe("status, by whatever an id is the beginning of", () => {
  const ID = "3f1c2a52-0000-4000-8000-000000000001";
  const searching = (Matches: object) => (path: string) => {
    if (path === "/v1/search") return [200, { Matches }] as const;
    if (path === `/v1/node/${ID}`) return [200, { ID, Name: "c1", Status: "ready" }] as const;
    if (path.startsWith("/v1/nodes")) return [200, [{ ID, Name: "c1" }]] as const;
    if (path.startsWith("/v1/node/pools")) return [200, [{ Name: "gpu" }]] as const;
    return path.endsWith("/allocations") ? ([200, []] as const) : undefined;
  };
  const ask = (address: string, ...args: string[]) =>
    run(["status", `-address=${address}`, ...args]);

  test("a node or a pool is shown; what nobody knows is said", async () => {
    const node = await fake(searching({ nodes: [ID], jobs: [] }));
    expect((await ask(node.address, "3f")).out).toContain("Name        = c1\n");
    expect(node.bodies).toContain('{"Prefix":"3f","Context":"all"}');
    const pool = await fake(searching({ node_pools: ["gpu"] }));
    expect((await ask(pool.address, "g")).out).toContain("Name        = gpu\n");
    const none = await fake(searching({ nodes: [] }));
    expect(await ask(none.address, "x")).toMatchObject({
      ...{ code: 1, err: 'No matches returned for query: "x"\n' },
    });
    const job = await fake(searching({ allocs: ["3f99"] }));
    expect((await ask(job.address, "3f")).err).toStartWith('Unable to resolve ID: "3f"');
  });

  test("several are listed by their kind; a whole name wins", async () => {
    const { address } = await fake(searching({ nodes: [ID], node_pools: ["3f", "3f2"] }));
    expect((await ask(address, "3")).err).toBe(
      `Multiple matches found for id "3"\n\nNodes:\n${ID}\n\nNode_pools:\n3f\n3f2\n`,
    );
    const exact = await fake(searching({ nodes: [ID], node_pools: ["gpu", "gpu2"] }));
    expect((await ask(exact.address, "gpu")).out).toContain("Name        = gpu\n");
  });

  test("an agent that does not search is asked for what it lists", async () => {
    const answers = searching({});
    const { address } = await fake((path) => {
      if (path.startsWith("/v1/node/pools")) return [200, []];
      return path === "/v1/search" ? undefined : answers(path);
    });
    expect((await ask(address, "3f")).out).toContain("Name        = c1\n");
  });
});

test("job status: none, or those of an agent that has some", async () => {
  const none = await fake(() => undefined);
  expect(await run(["job", "status", `-address=${none.address}`])).toMatchObject({
    ...{ code: 0, out: "No running jobs\n" },
  });
  expect((await run(["job", "status", `-address=${none.address}`, "-json"])).out).toBe("[]\n");
  expect((await run(["job", "status", `-address=${none.address}`, "web"])).err).toBe(
    'No job(s) with prefix or ID "web" found\n',
  );
  const some = await fake(() => [
    200,
    [{ ID: "web", Type: "service", Priority: 50, Status: "running" }],
  ]);
  expect((await run(["status", `-address=${some.address}`])).out).toBe(
    "ID   Type     Priority  Status\nweb  service  50        running\n",
  );
});

test("ui: an agent without a page says so; of one that has one the address is shown", async () => {
  const none = await fake(() => undefined);
  const refused = await run(["ui", `-address=${none.address}`]);
  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(refused.err).toStartWith(`${none.address} has no web page: `);
  const { address } = await fake((path) => (path === "/ui/" ? [200, "page"] : undefined));
  expect(await run(["ui", `-address=${address}`, "-show-url"])).toMatchObject({
    ...{ code: 0, out: `URL for web UI: "${address}"\n` },
  });
  const members = await fake((path) => {
    if (path === "/v1/agent/members") return [200, { Members: [] }];
    return path === "/ui/" ? [200, "page"] : undefined;
  });
  const env = { PATH: "/nowhere" };
  const shown = await run(["server", "members", "-ui", `-address=${members.address}`], { env });
  expect(shown.out).toEndWith(`\nOpening URL "${members.address}/ui/servers"\n`);
  const opened = await run(["ui", `-address=${address}`], { env });
  expect(opened.out).toBe(`Opening URL "${address}"\n`);
  expect(opened.err).toStartWith("Error opening URL: there is no ");
});

test("what is not here says why, whatever stands behind it", async () => {
  const cases: readonly (readonly [string, string])[] = [
    ["alloc logs -f -stderr abc", "nomad alloc: this agent has no job scheduler: "],
    ["job run -detach web.nomad", "nomad job run: this agent has no job scheduler: "],
    ["operator scheduler get-config", "nomad operator scheduler: this agent has no job"],
    ["quota list", "nomad quota: Nomad Enterprise only"],
    ["var get -out=json x", "nomad var: this agent keeps no variables"],
    ["operator client-state /x", "nomad operator client-state: a client here has no allocations"],
  ];
  for (const [line, text] of cases) {
    const { code, out, err } = await run(line.split(" "));
    expect([line, code, out]).toEqual([line, 1, ""]);
    expect(err).toStartWith(text);
  }
  expect((await run(["-help"])).out).not.toContain("alloc");
});

test("system gc and system reconcile summaries are silent when they are done", async () => {
  const { address, asked } = await fake(() => [200, ""]);
  for (const words of [["gc"], ["reconcile", "summaries"]]) {
    const done = await run(["system", ...words, `-address=${address}`]);
    expect(done).toEqual({ code: 0, out: "", err: "" });
  }
  expect(asked).toEqual(["PUT /v1/system/gc", "PUT /v1/system/reconcile/summaries"]);
});
