/** Requests that need no parser: what is taken for one is what the parser would make of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { headEnd, parseSimple } from "../../src/http/simple-request.ts";

const HOST = "Host: here\r\n";
const get = (rest: string): string => `GET /v1/x HTTP/1.1\r\n${rest}\r\n`;

describe("is simple", () => {
  for (const head of [
    get(HOST),
    get("host:here\r\n"),
    get(`${HOST}Accept-Encoding: gzip\r\nX-Nomad-Token: a b\tc\r\nEmpty:\r\n`),
    get(`${HOST}Connection: keep-alive\r\n`),
    "HEAD /v1/x?index=5&wait=1m%20 HTTP/1.1\r\nHost: [::1]:4646\r\n\r\n",
  ]) {
    test(JSON.stringify(head), () => expect(parseSimple(head)).toBeDefined());
  }
});

describe("is for the parser", () => {
  for (const head of [
    get(""),
    get(HOST + HOST),
    get(`${HOST}Content-Length: 0\r\n`),
    get(`${HOST}transfer-encoding: chunked\r\n`),
    get(`${HOST}Connection: close\r\n`),
    get(`${HOST}Connection: keep-alive, upgrade\r\n`),
    get(`${HOST}Upgrade: h2c\r\n`),
    get(`${HOST}Expect: 100-continue\r\n`),
    get(`${HOST}X: a\r\n b\r\n`),
    get(`${HOST}X : a\r\n`),
    get(`${HOST}X: a\nY: b\r\n`),
    get(`${HOST}X: a\rb\r\n`),
    get(`${HOST}X: \u00e4\r\n`),
    get(`${HOST}X: a\r\nx: b\r\n`),
    get(`${HOST}: a\r\n`),
    "GET /v1/x HTTP/1.0\r\nHost: here\r\n\r\n",
    "GET  /v1/x HTTP/1.1\r\nHost: here\r\n\r\n",
    "GET /v1/x#y HTTP/1.1\r\nHost: here\r\n\r\n",
    "GET http://here/v1/x HTTP/1.1\r\nHost: here\r\n\r\n",
    "GET /\u00e4 HTTP/1.1\r\nHost: here\r\n\r\n",
    "PUT /v1/x HTTP/1.1\r\nHost: here\r\n\r\n",
    "get /v1/x HTTP/1.1\r\nHost: here\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: here\r\n\r\n",
  ]) {
    test(JSON.stringify(head), () => expect(parseSimple(head)).toBeUndefined());
  }
});

test("a head ends with its empty line; what is not whole, or long, is for the parser", () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
  const head = get(HOST);
  expect(headEnd(bytes(head))).toBe(head.length);
  expect(headEnd(bytes(head + head))).toBe(head.length);
  for (let cut = 0; cut < head.length; cut++) expect(headEnd(bytes(head.slice(0, cut)))).toBe(0);
  expect(headEnd(bytes(get(`${HOST}X: ${"x".repeat(5000)}\r\n`)))).toBe(0);
  expect(headEnd(bytes(`PUT${head.slice(3)}`))).toBe(0);
});

let server: Server;
let port = 0;
beforeAll(async () => {
  server = createServer(({ method, url, rawHeaders, headers }, response) => {
    response.end(`${JSON.stringify({ method, url, rawHeaders, headers: { ...headers } })}\n`);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  port = typeof bound === "object" ? (bound?.port ?? 0) : 0;
});
afterAll(() => server.close());

function parsed(head: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(head, "latin1"));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const line = text.split("\r\n\r\n")[1];
      if (line?.endsWith("\n") !== true) return;
      socket.destroy();
      resolve(JSON.parse(line));
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(`refused: ${text}`));
  });
}

test("what is simple is to the parser the same", async () => {
  const names = ["Accept", "user-agent", "X-Nomad-Token", "Cookie", "Connection", "X:", "Te", "É"];
  const name = fc.constantFrom(...names);
  const value = fc.oneof(
    fc.constantFrom("", "keep-alive", "a", "a, b", "\t x \t", "a\r\n b", "x\x7f", "ü"),
    fc.string({ maxLength: 12 }),
  );
  const separator = fc.constantFrom(":", ": ", ":\t ", " : ");
  const header = fc.tuple(name, separator, value).map((parts) => `${parts.join("")}\r\n`);
  const target = fc.oneof(
    fc.constantFrom("/", "/v1/nodes?a=%zz", "/\\", "//x", "/a b", "/x#", "*"),
    fc.webPath().map((path) => `/${path}`),
  );
  const request = fc
    .tuple(fc.constantFrom("GET", "HEAD"), target, fc.array(header, { maxLength: 3 }))
    .map(([method, path, more]) => `${method} ${path} HTTP/1.1\r\n${HOST}${more.join("")}\r\n`);
  let simple = 0;
  await fc.assert(
    fc.asyncProperty(request, async (head) => {
      const found = parseSimple(head);
      if (found === undefined || found.method === "HEAD") return;
      simple += 1;
      const { method, url, rawHeaders, headers } = found;
      expect(await parsed(head)).toEqual({ method, url, rawHeaders, headers: { ...headers } });
    }),
    { numRuns: 400, seed: 7 },
  );
  expect(simple).toBeGreaterThan(20);
});
