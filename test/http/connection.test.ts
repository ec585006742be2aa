/** HTTP connections over real sockets: order, limits, and callers who hang up. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { listenSockets } from "../../src/host/network.ts";
import { HttpServer } from "../../src/http/server.ts";
import { createHandshakeCounters } from "../../src/service/rpc/counters.ts";
import { ManualClock } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LINE = "HTTP/1.1\r\nHost: here\r\n";

const clock = new ManualClock();
let port = 0;
const server = new HttpServer({
  addresses: [{ ip: LOOPBACK, port: 0 }],
  security: () => ({ identity: undefined, verifyClient: false }),
  handshakeTimeoutMs: 1000,
  connectionsPerClientMax: 100,
  headers: {},
  counters: createHandshakeCounters(),
  clock,
  log: silent,
  listen: async (local, accept) => {
    const listener = await listenSockets(local, accept);
    port = listener.local.port;
    return listener;
  },
});

/** What runs now, in the order of its beginning; /wait is answered when the test, or its end, says so. */
interface Running {
  readonly path: string;
  readonly signal: AbortSignal;
  readonly answer: () => void;
}
let running: Running[] = [];
let runningMax = 0;
let begun = 0;

async function app(request: Request): Promise<Response> {
  const { pathname: path } = new URL(request.url);
  const body = await request.text();
  const { promise, resolve } = Promise.withResolvers<void>();
  const entry = { path, signal: request.signal, answer: resolve };
  running.push(entry);
  begun += 1;
  runningMax = Math.max(runningMax, running.length);
  if (path.startsWith("/wait")) {
    request.signal.addEventListener("abort", () => resolve());
    await promise;
  }
  running = running.filter((one) => one !== entry);
  if (path === "/who")
    return new Response(server.callerOf(request)?.proxy ? "/proxy:0;" : "/who:0;");
  return new Response(path === "/big" ? "x".repeat(32 * 1024 * 1024) : `${path}:${body.length};`);
}

/** The token of an operator, whom no certificate proves. */
const TOKEN = "management";
const vouchesFor = async ({ headers }: Request): Promise<boolean> => {
  return headers.get("x-nomad-token") === TOKEN;
};

beforeAll(() => server.start({ handle: app, vouchesFor }));
afterAll(() => server.close());
beforeEach(() => {
  begun = 0;
  runningMax = 0;
});

interface Client {
  readonly socket: Socket;
  readonly got: () => string;
}

function dial(bytes: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => {
      socket.write(bytes);
      resolve({ socket, got: () => text });
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", reject);
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const answersIn = (text: string): string[] => [...text.matchAll(/\/[\w-]+:\d+;/g)].map(String);

describe("requests of one connection", () => {
  test("are answered one after another, bodies and all, in the order that they came", async () => {
    const { socket, got } = await dial(
      `GET /a ${LINE}\r\nPUT /b ${LINE}Content-Length: 5\r\n\r\nhello` +
        `PUT /c ${LINE}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n` +
        `GET /d ${LINE}Content-Length: 2\r\n\r\nxxGET /e ${LINE}\r\n`,
    );
    await until("five answers", () => answersIn(got()).length === 5);
    expect(answersIn(got())).toEqual(["/a:0;", "/b:5;", "/c:3;", "/d:0;", "/e:0;"]);
    expect(runningMax).toBe(1);
    socket.destroy();
  });

  test("are each from whom their own head names, also when heads come again", async () => {
    const { socket, got } = await dial("");
    const [own, passed] = [`GET /who ${LINE}\r\n`, `GET /who ${LINE}Via: 1.1 x\r\n\r\n`];
    const heads = [own, own, passed, passed, own, passed];
    for (const [i, head] of heads.entries()) {
      socket.write(head);
      await until("an answer", () => answersIn(got()).length > i);
    }
    const names = heads.map((head) => (head === own ? "/who:0;" : "/proxy:0;"));
    expect(answersIn(got())).toEqual(names);
    socket.destroy();
  });

  test("simple ones first, then what needs the parser, then simple ones again", async () => {
    const { socket, got } = await dial(`GET /a ${LINE}\r\nHEAD /b ${LINE}\r\nGET /c HTTP/1.1\r\n`);
    await until("two answers", () => (got().match(/Content-Length: 5\r\n/g) ?? []).length === 2);
    // The head of a HEAD has no body behind it.
    expect(answersIn(got())).toEqual(["/a:0;"]);
    socket.write(`Host: here\r\n\r\nPUT /d ${LINE}Content-Length: 1\r\n\r\nxGET /e ${LINE}\r\n`);
    await until("all answers", () => answersIn(got()).length === 4);
    expect(answersIn(got())).toEqual(["/a:0;", "/c:0;", "/d:1;", "/e:0;"]);
    expect(got().match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(5);
    expect(got().match(/Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/g)).toHaveLength(5);
    socket.destroy();
  });

  test("a long body, and a request right behind it", async () => {
    const bytes = 900_000;
    const { socket, got } = await dial(
      `PUT /a ${LINE}Content-Length: ${bytes}\r\n\r\n${"x".repeat(bytes)}GET /b ${LINE}\r\n`,
    );
    await until("both answers", () => answersIn(got()).length === 2);
    expect(answersIn(got())).toEqual([`/a:${bytes};`, "/b:0;"]);
    socket.destroy();
  });

  test("pipelined by the thousands: the first runs, and hardly more is even read", async () => {
    const one = `GET /wait ${LINE}\r\n`;
    const { socket } = await dial(one.repeat(200_000));
    await until("the first runs", () => running.length === 1);
    await until("the kernel is full", () => socket.writableLength > 0);
    expect([begun, runningMax]).toEqual([1, 1]);
    expect(socket.writableLength).toBeGreaterThan(1_000_000);
    socket.destroy();
    // As in Go, what has not been read hides that nobody is there any more.
    running[0]?.answer();
    await until("nothing runs", () => running.length === 0);
    expect(runningMax).toBe(1);
  });
});

test("bodies have limits, one and all together", async () => {
  const mib = 1024 * 1024;
  const put = (bytes: number) => `PUT /a ${LINE}Content-Length: ${bytes}\r\n\r\n`;
  const large = await dial(put(mib + 1) + "x".repeat(mib + 1));
  await until("an answer", () => large.got().includes("\r\n\r\n"));
  expect(large.got()).toStartWith("HTTP/1.1 413 ");
  // From loopback two snapshots and 16 MiB may be under way: these never come to their end.
  const begun = `PUT /v1/operator/snapshot ${LINE}Content-Length: ${64 * mib}\r\n\r\n`;
  const body = "x".repeat(48 * mib);
  const many: Client[] = [];
  for (let i = 0; i < 4; i++) many.push(await dial(begun + body));
  await until("one is refused", () => many.some(({ got }) => got().startsWith("HTTP/1.1 503 ")));
  for (const { socket } of [large, ...many]) socket.destroy();
  const after = await dial(`${put(5)}hello`);
  await until("all is given back", () => answersIn(after.got()).length === 1);
  after.socket.destroy();
});

describe("a caller who hangs up", () => {
  for (const [how, leave] of [
    ["by closing", (socket: Socket) => socket.destroy()],
    ["by closing its half", (socket: Socket) => socket.end()],
  ] as const) {
    test(`${how} ends what waits for it`, async () => {
      const { socket } = await dial(`GET /wait ${LINE}\r\n`);
      await until("it waits", () => running.length === 1);
      expect(running[0]?.signal.aborted).toBe(false);
      leave(socket);
      await until("nothing waits", () => running.length === 0);
      socket.destroy();
      await until("no timer is left", () => clock.timers === 0);
    });
  }

  test("with its half still gets its answer", async () => {
    const { socket, got } = await dial(`GET /a ${LINE}\r\n`);
    socket.end();
    await until("the answer", () => answersIn(got()).length === 1);
    socket.destroy();
  });

  test("has not: the next request on the connection may wait again", async () => {
    const { socket, got } = await dial(`GET /wait-1 ${LINE}\r\nGET /wait-2 ${LINE}\r\n`);
    for (const path of ["/wait-1", "/wait-2"]) {
      await until(`${path} runs`, () => running[0]?.path === path);
      expect(running[0]?.signal.aborted).toBe(false);
      running[0]?.answer();
    }
    await until("both answers", () => answersIn(got()).length === 2);
    socket.destroy();
  });
});

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("end", resolve).once("close", resolve));
}

describe("time", () => {
  test("a connection without a request, or with half of one, ends after a minute", async () => {
    const idle = await dial("");
    const half = await dial("GET /a HTTP/1.1\r\nHost: he");
    const body = await dial(`PUT /a ${LINE}Content-Length: 10\r\n\r\nhal`);
    const [one, two, three] = [idle, half, body].map(({ socket }) => ended(socket));
    // Accepted and read: only then their minute begins.
    const last = await dial(`GET /a ${LINE}\r\n`);
    await until("the server is there", () => answersIn(last.got()).length === 1);
    await clock.advance(59_000);
    half.socket.write("re\r\n");
    expect([idle, half, body].some(({ socket }) => socket.destroyed)).toBe(false);
    await clock.advance(2000);
    await Promise.all([one, two, three]);
    for (const { socket } of [idle, half, body, last]) socket.destroy();
  });

  test("an answer may take as long as it takes", async () => {
    const { socket, got } = await dial(`GET /wait ${LINE}\r\n`);
    await until("it runs", () => running.length === 1);
    await clock.advance(600_000);
    expect(running[0]?.signal.aborted).toBe(false);
    running[0]?.answer();
    await until("the answer", () => answersIn(got()).length === 1);
    socket.destroy();
  });

  test("whoever does not read its answer for a minute is cut off", async () => {
    const { socket } = await dial("");
    socket.pause();
    socket.write(`GET /big ${LINE}\r\n`);
    await until("it has run", () => begun === 1 && running.length === 0);
    const over = ended(socket);
    // How much the kernel takes by then is its own affair: two minutes without a byte are enough.
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await clock.advance(60_001);
    }
    socket.resume();
    await over;
    socket.destroy();
    expect(socket.bytesRead).toBeLessThan(32 * 1024 * 1024);
  });
});

describe("the Host header", () => {
  const statusOf = async (request: string): Promise<string> => {
    const { socket, got } = await dial(request);
    await until("an answer", () => got().includes("\r\n\r\n"));
    socket.destroy();
    return got().split("\r\n")[0] ?? "";
  };

  test("HTTP/1.1 wants exactly one, HTTP/1.0 none", async () => {
    expect(await statusOf("GET /a HTTP/1.1\r\n\r\n")).toContain(" 400 ");
    expect(await statusOf("GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")).toContain(" 400 ");
    expect(await statusOf("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")).toContain(" 200 ");
    expect(await statusOf("GET /a HTTP/1.0\r\n\r\n")).toContain(" 200 ");
    expect(await statusOf("GET /a HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n")).toContain(" 400 ");
  });
});

test("a snapshot may be long where a token proves an operator, and nothing else may", async () => {
  const length = 2 * 1024 * 1024;
  const answerTo = async (path: string, token: string): Promise<string> => {
    // From behind a proxy nobody is on this machine.
    const headers = `X-Forwarded-For: 1.2.3.4\r\nX-Nomad-Token: ${token}\r\n`;
    const head = `PUT ${path} ${LINE}${headers}Content-Length: ${length}\r\n\r\n`;
    const { socket, got } = await dial(head);
    socket.write("x".repeat(length));
    await until("an answer", () => got().includes("\r\n\r\n"));
    socket.destroy();
    return got();
  };
  const snapshot = "/v1/operator/snapshot";
  expect(await answerTo(snapshot, "another")).toStartWith("HTTP/1.1 413 ");
  expect(await answerTo("/v1/nodes", TOKEN)).toStartWith("HTTP/1.1 413 ");
  expect(await answerTo(snapshot, TOKEN)).toEndWith(`${snapshot}:${length};`);
});
