/** Small print of HTTP on the compiled binary: lengths, encodings, headers, and who "this machine" is. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { request } from "node:http";
import { NET } from "../addresses.ts";
import { Lab, until } from "./agents.ts";

const IP = `${NET}.63.1`;
const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** As `fetch` would not send it. */
function send(method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: IP, port: 4646, path, method, headers, agent: false };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status = 0, headers: got } = response;
        resolve({ status, headers: got, body: Buffer.concat(chunks) });
      });
    });
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

beforeAll(async () => {
  const encrypt = Buffer.alloc(16, 7).toString("base64");
  await lab.agent({ name: "h1", ip: IP, encrypt, server: { bootstrap_expect: 1 } });
  await until("it answers", async () => (await send("GET", "/v1/status/leader")).status === 200);
});

describe("HEAD", () => {
  for (const path of ["/v1/agent/health", "/v1/nodes", "/v1/regions"]) {
    test(`${path}: the length of the GET, and no body`, async () => {
      const [head, get] = [await send("HEAD", path), await send("GET", path)];
      expect(head.status).toBe(get.status);
      expect(head.headers["content-length"]).toBe(String(get.body.length));
      expect(head.body.length).toBe(0);
    });
  }
  test("of a stream ends, and of a path for PUT is refused", async () => {
    expect((await send("HEAD", "/v1/agent/monitor?plain=true")).status).toBe(200);
    expect((await send("HEAD", "/v1/agent/join?address=x")).status).toBe(405);
  });
});

describe("Accept-Encoding", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["gzip", "gzip"],
    ["deflate, gzip;q=0.5", "gzip"],
    ["br, *", "gzip"],
    ["gzip;q=0", undefined],
    ["gzip; q=0.000, identity", undefined],
    ["*;q=0", undefined],
    ["xgzip", undefined],
  ];
  for (const [accepts, encoding] of cases) {
    test(`${accepts}: ${encoding ?? "as it is"}`, async () => {
      const answer = await send("GET", "/v1/agent/self", { "Accept-Encoding": accepts });
      expect(answer.headers["content-encoding"]).toBe(encoding);
    });
  }
});

test("every answer says that it depends on Accept-Encoding", async () => {
  for (const path of ["/v1/agent/self", "/v1/regions", "/v1/nope", "/v1/agent/monitor"]) {
    const { headers } = await send("HEAD", path);
    expect([path, headers["vary"]]).toEqual([path, "Accept-Encoding"]);
  }
});

describe("big headers", () => {
  const cookie = (bytes: number): Record<string, string> => ({ Cookie: "a".repeat(bytes) });
  test("are read up to 64 KB", async () => {
    for (const bytes of [17_000, 60_000]) {
      expect((await send("GET", "/v1/regions", cookie(bytes))).status).toBe(200);
    }
  });
  test("and then are a 431, and the agent lives", async () => {
    expect((await send("GET", "/v1/regions", cookie(100_000))).status).toBe(431);
    expect((await send("GET", "/v1/regions")).status).toBe(200);
  });
});

describe("a request that a proxy passed on is not of this machine", () => {
  const signs: readonly (readonly [string, string])[] = [
    ["X-Forwarded-For", "203.0.113.7"],
    ["X-Real-IP", "203.0.113.7"],
    ["CF-Connecting-IP", "203.0.113.7"],
    ["X-Cluster-Client-IP", "203.0.113.7"],
    ["X-Original-Host", "nomad.example"],
    ["Forwarded", "for=203.0.113.7"],
    ["X-Forwarded-Proto", "https"],
    ["Via", "1.1 proxy"],
  ];
  for (const [name, value] of signs) {
    test(name, async () => {
      const headers = { [name]: value };
      const join = await send("PUT", `/v1/agent/join?address=${NET}.63.9`, headers);
      const keys = await send("GET", "/v1/agent/keyring/list", headers);
      const state = await send("GET", "/v1/operator/snapshot", headers);
      expect([join.status, keys.status, state.status]).toEqual([403, 403, 403]);
      expect(join.body.toString()).toContain("a proxy passed this request on");
      expect((await send("GET", "/v1/regions", headers)).status).toBe(200);
    });
  }
  test("without such a header it is", async () => {
    expect((await send("GET", "/v1/agent/keyring/list")).status).toBe(200);
  });
});

test("a bare ?prune is none, as Nomad reads it", async () => {
  const bare = await send("PUT", "/v1/agent/force-leave?node=zz&prune");
  expect([bare.status, bare.body.length]).toEqual([200, 0]);
  const bad = await send("PUT", "/v1/agent/force-leave?node=zz&prune=maybe");
  expect([bad.status, bad.body.toString()]).toEqual([400, "invalid prune value"]);
});
