/** The HTTP API without a socket: requests in, responses out. */
import { describe, expect, test } from "bun:test";
import type { ApiContext } from "../../src/api/context.ts";
import { type Caller, type OwnIdentity, refuseChange, refuseRead } from "../../src/http/access.ts";
import { createHttpApp, type HttpApp } from "../../src/http/app.ts";
import { isKeyFault } from "../../src/secret/key.ts";
import { jsonOf } from "../../src/wire/msgpack-json.ts";
import { MsgpackWriter } from "../../src/wire/msgpack-writer.ts";
import { decodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { silent } from "../silent.ts";
import { ask, bench, KEY, KEY_TEXT, LOCAL, OWN, proven, REMOTE } from "./bench.ts";

describe("reading", () => {
  test("GET /v1/agent/members has Nomad's names in Nomad's order", async () => {
    const { status, body, type } = await ask(bench(REMOTE).app, "GET", "/v1/agent/members");
    expect([status, type]).toEqual([200, "application/json"]);
    expect(body).toBe(
      '{"Members":[{"Addr":"127.0.0.1","DelegateCur":4,"DelegateMax":5,"DelegateMin":2,' +
        '"Name":"n1.global","Port":4648,"ProtocolCur":2,"ProtocolMax":5,"ProtocolMin":1,' +
        '"Status":"alive","Tags":{"role":"nomad","region":"global"}}],' +
        '"ServerDC":"dc1","ServerName":"n1","ServerRegion":"global"}',
    );
  });

  test("GET /v1/agent/self has config, member and stats, and no secret", async () => {
    const { body } = await ask(bench(REMOTE).app, "GET", "/v1/agent/self");
    const { Telemetry, Audit } = JSON.parse(body).config;
    expect(Telemetry).toMatchObject({ CollectionInterval: "1000ms", StatsdAddr: "" });
    expect(Audit).toMatchObject({ Enabled: false, Sinks: [{ Type: "file", Mode: "0600" }] });
    const self = JSON.parse(body);
    expect(Object.keys(self)).toEqual(["config", "member", "stats"]);
    expect(self.stats.serf.encrypted).toBe("true");
    expect(self.config.TLSConfig.EnableRPC).toBe(false);
    if (!isKeyFault(KEY)) expect(body).not.toContain(KEY.base64);
  });

  test("GET /v1/agent/health", async () => {
    const { app } = bench(REMOTE);
    const health = await ask(app, "GET", "/v1/agent/health");
    expect(health.body).toBe('{"server":{"message":"ok","ok":true}}');
    const client = await ask(app, "GET", "/v1/agent/health?type=client");
    expect([client.status, client.body]).toEqual([
      500,
      '{"client":{"ok":false,"message":"client not enabled"}}',
    ]);
    expect((await ask(app, "GET", "/v1/agent/health?type=foo")).body).toBe("{}");
  });

  test("GET /v1/status says what is in clear, key fingerprints and never keys", async () => {
    const { body } = await ask(bench(REMOTE).app, "GET", "/v1/status");
    const status = JSON.parse(body);
    expect(status.encrypted).toBe(false);
    expect(status.in_clear.map((one: { what: string }) => one.what)).toEqual(["rpc", "http"]);
    expect(status.node.uptime_seconds).toBe(61);
    if (isKeyFault(KEY)) throw new Error("bad test key");
    const { fingerprint } = KEY;
    expect(status.gossip.keys).toEqual([{ fingerprint, bits: 128, primary: true, since: null }]);
    expect(body).not.toContain(KEY.base64);
    const clear = JSON.parse((await ask(bench(REMOTE, false).app, "GET", "/v1/status")).body);
    expect(clear.gossip).toMatchObject({ encrypted: false, cipher: "none", keys: [] });
  });

  test("?pretty indents by four and ends the line", async () => {
    const { body } = await ask(bench(REMOTE).app, "GET", "/v1/regions?pretty");
    expect(body).toBe('[\n    "global"\n]\n');
  });

  test("an unknown path is 404 with an empty body, a wrong method 405", async () => {
    const { app } = bench(LOCAL);
    expect(await ask(app, "GET", "/v1/nope")).toMatchObject({ status: 404, body: "" });
    for (const path of ["/v1/agent/self", "/v1/status"]) {
      expect(await ask(app, "PUT", path)).toMatchObject({ status: 405, body: "Invalid method" });
    }
    expect(await ask(app, "GET", "/v1/agent/join")).toMatchObject({ status: 405 });
  });

  test("unknown paths below a known one are 404 too, not the id of a node", async () => {
    const { app } = bench(LOCAL);
    const paths = [
      "/v1/nodes/",
      "/v1/node/pool",
      "/v1/node/pool/x/y",
      "/v1/node/x/nothing",
      "/v1/status/x",
    ];
    for (const path of [...paths, "/v1/agent/keyring/x", "/v1/operator/raft/x"]) {
      expect(await ask(app, "GET", path)).toMatchObject({ status: 404, body: "" });
    }
    expect(await ask(app, "GET", "/v1/node/poolside")).toMatchObject({ status: 500 });
    const wrong = await ask(app, "PUT", "/v1/node/x");
    expect(wrong).toMatchObject({ status: 405, body: "Invalid method" });
    // Nomad's, which says nothing here.
    const other = await ask(app, "PUT", "/v1/operator/raft/configuration");
    expect(other).toMatchObject({ status: 405, body: "" });
  });
});

describe("changing", () => {
  test("PUT /v1/agent/join answers 200 and says how it went", async () => {
    const { app, joins } = bench(LOCAL);
    const two = await ask(app, "PUT", "/v1/agent/join?address=10.0.0.1&address=10.0.0.2");
    expect(two).toMatchObject({ status: 200, body: '{"error":"","num_joined":1,"warning":""}' });
    const one = JSON.parse((await ask(app, "POST", "/v1/agent/join?address=10.0.0.1")).body);
    expect(one).toEqual({
      error: "1 error occurred:\n\t* failed to join x: refused\n\n",
      num_joined: 0,
      warning: "",
    });
    expect(joins).toEqual([["10.0.0.1", "10.0.0.2"], ["10.0.0.1"]]);
    await ask(app, "PUT", "/v1/agent/join?address=a,b&address=c%2Cd&address=");
    expect(joins.at(-1)).toEqual(["a,b", "c,d", ""]);
    const none = await ask(app, "PUT", "/v1/agent/join");
    expect(none).toMatchObject({ status: 400, body: "missing address to join" });
  });

  test("PUT /v1/agent/force-leave", async () => {
    const { app, leaves } = bench(LOCAL);
    const done = await ask(app, "PUT", "/v1/agent/force-leave?node=a.global&prune=true");
    expect(done).toMatchObject({ status: 200, body: "" });
    await ask(app, "PUT", "/v1/agent/force-leave?node=b.global");
    expect(leaves).toEqual([
      ["a.global", true],
      ["b.global", false],
    ]);
    for (const [query, text] of [
      ["", "missing node to force leave"],
      ["?node=a&prune=maybe", "invalid prune value"],
    ]) {
      const refused = await ask(app, "PUT", `/v1/agent/force-leave${query}`);
      expect(refused).toMatchObject({ status: 400, body: text ?? "" });
    }
  });

  const strangers: readonly (readonly [string, Caller | undefined, Record<string, string>])[] = [
    ["from another machine", REMOTE, { host: "10.0.0.1:4646" }],
    ["from nobody we know", undefined, { host: "127.0.0.1:4646" }],
    ["from a web page", LOCAL, { host: "127.0.0.1:4646", origin: "http://evil.example" }],
    ["for another site's page", LOCAL, { host: "127.0.0.1:4646", "sec-fetch-site": "cross-site" }],
    ["for a page beside us", LOCAL, { host: "127.0.0.1:4646", "sec-fetch-site": "same-site" }],
    ["with a client's certificate", proven("client.global.nomad"), { host: "10.0.0.1" }],
    ["with another region's", proven("server.eu.nomad", "cli.eu.nomad"), { host: "10.0.0.1" }],
    ["with a look-alike", proven("server.global.nomad.evil.example"), { host: "10.0.0.1" }],
    ["with a name in front", proven("a.cli.global.nomad", "localhost"), { host: "10.0.0.1" }],
    ["with no name at all", proven(), { host: "10.0.0.1" }],
    [
      "a client on this machine",
      { ...LOCAL, names: ["client.global.nomad"] },
      { host: "localhost" },
    ],
    ["from a sandboxed page", LOCAL, { host: "127.0.0.1:4646", origin: "null" }],
    ["by a name that is not ours", LOCAL, { host: "evil.example:4646" }],
    ["a page of that name", LOCAL, { host: "evil.example", origin: "http://evil.example" }],
  ];
  test("what would be refused is told beforehand, by operation", async () => {
    const refusedTo = async (caller: Caller): Promise<string[]> => {
      const { app } = bench(caller);
      const { status, body } = await ask(app, "GET", "/v1/agent/permissions");
      expect(status).toBe(200);
      const { Refused }: { Refused: Record<string, string> } = JSON.parse(body);
      expect(Object.values(Refused).every((why) => why.startsWith("Permission denied"))).toBe(true);
      return Object.keys(Refused);
    };
    expect(await refusedTo(LOCAL)).toEqual([]);
    const refused = await refusedTo(REMOTE);
    expect(refused).toContain("PUT /v1/agent/keyring/use");
    expect(refused).toContain("PUT /v1/agent/keyring/list");
    expect(refused).toContain("PUT /v1/agent/reload");
    expect(refused).not.toContain("GET /v1/status");
  });

  for (const [who, caller, headers] of strangers) {
    test(`${who}: 403 and nothing changes`, async () => {
      const { app, joins, leaves, asked } = bench(caller);
      const list = await ask(app, "GET", "/v1/agent/keyring/list", headers);
      expect(list.status).toBe(403);
      const paths = [
        "/v1/agent/join?address=1.2.3.4",
        "/v1/agent/force-leave?node=a",
        "/v1/agent/keyring/install",
        "/v1/agent/keyring/remove",
      ];
      for (const path of paths) {
        for (const method of ["PUT", "POST"]) {
          const refused = await ask(app, method, path, headers);
          expect(refused.status).toBe(403);
          expect(refused.body).toStartWith("Permission denied");
        }
      }
      expect([joins, leaves, asked]).toEqual([[], [], []]);
    });
  }

  test("keys, introductions and renewals: only for whoever may, and with what they need", async () => {
    const changes = [
      ["PUT", "/v1/operator/keyring/rotate"],
      ["DELETE", "/v1/operator/keyring/key/x"],
      ["POST", "/v1/acl/identity/client-introduction-token"],
      ["PUT", "/v1/client/identity/renew"],
    ] as const;
    const client = bench(proven("client.global.nomad"));
    for (const [method, path] of changes) {
      expect((await ask(bench(REMOTE).app, method, path)).status).toBe(403);
      expect((await ask(client.app, method, path)).status).toBe(403);
      expect((await ask(bench(LOCAL).app, "PATCH", path)).status).toBe(405);
    }
    expect((await ask(client.app, "GET", "/v1/operator/keyring/keys")).status).toBe(403);
    const said = async (path: string, body: string): Promise<string> => {
      const headers = { host: "127.0.0.1:4646" };
      const url = `http://localhost${path}`;
      const request = new Request(url, { method: "PUT", headers, body });
      const answer = await bench(LOCAL).app.handle(request);
      return `${answer.status} ${await answer.text()}`;
    };
    const introduction = "/v1/acl/identity/client-introduction-token";
    expect(await said(introduction, '{"TTL": "soon"}')).toBe(
      "400 TTL must be a duration, for example 24h",
    );
    expect(await said(introduction, "{")).toBe("400 the body is not JSON");
    expect(await said("/v1/client/identity/renew", "")).toStartWith("400 No local Node");
    const rotate = "/v1/operator/keyring/rotate?publish_time=soon";
    expect(await said(rotate, "")).toBe("400 invalid publish_time");
    const { status } = await ask(client.app, "GET", "/.well-known/openid-configuration");
    expect(status).toBe(404);
  });

  test("the keyring: keys for whoever may, fingerprints on request, bad keys refused", async () => {
    const { app, asked } = bench(LOCAL);
    const list = await ask(app, "GET", "/v1/agent/keyring/list");
    expect(JSON.parse(list.body)).toEqual({ Keys: { [KEY_TEXT]: 1 }, Messages: {}, NumNodes: 1 });
    const safe = await ask(app, "GET", "/v1/agent/keyring/list?fingerprints=true");
    expect(safe.body).not.toContain(KEY_TEXT);
    expect(JSON.parse(safe.body).Keys).toEqual([
      { Fingerprint: expect.any(String), Bits: 128, Nodes: 1, PrimaryOn: 1 },
    ]);
    const change = async (body: string): Promise<[number, string]> => {
      const init = { method: "PUT", headers: { host: "localhost" }, body };
      const url = "http://localhost/v1/agent/keyring/install";
      const response = await app.handle(new Request(url, init));
      return [response.status, await response.text()];
    };
    expect(await change(JSON.stringify({ Key: KEY_TEXT }))).toEqual([
      200,
      '{"Keys":{},"Messages":{},"NumNodes":1}',
    ]);
    expect(asked.at(-1)).toEqual(["install", "05".repeat(16)]);
    // Whoever has only seen fingerprints can name one.
    const { Fingerprint } = JSON.parse(safe.body).Keys[0];
    expect((await change(JSON.stringify({ Fingerprint })))[0]).toBe(200);
    expect(asked.slice(-2)).toEqual([
      ["list", ""],
      ["install", "05".repeat(16)],
    ]);
    expect((await change('{"Fingerprint":"0000000000000000"}'))[0]).toBe(404);
    const bare = await ask(app, "GET", "/v1/agent/keyring/install");
    expect([bare.status, bare.body]).toEqual([400, "Request body is empty"]);
    expect(await change('{"Fingerprint":{}}')).toEqual([400, "Fingerprint must be a text"]);
    // What somebody takes for a fingerprint may be a key.
    const said = await change(`{"Fingerprint":"${Buffer.alloc(32, 5).toString("base64")}"}`);
    expect(said).toEqual([400, "Fingerprint must be one of a key"]);
    expect(await change("")).toEqual([400, "Request body is empty"]);
    expect((await change('{"Key":"AAAA"}'))[1]).toContain("16, 24 or 32 bytes, found 3 bytes");
  });

  for (const name of ["cli.global.nomad", "server.global.nomad"]) {
    test(`a caller that has proven ${name} may, from anywhere`, async () => {
      const { app, joins } = bench(proven(name));
      await ask(app, "PUT", "/v1/agent/join?address=1.2.3.4", { host: "server.example:4646" });
      expect(joins).toEqual([["1.2.3.4"]]);
      const list = await ask(app, "GET", "/v1/agent/keyring/list", { host: "10.0.0.1" });
      expect(list.status).toBe(200);
    });
  }

  test("what is for operators is not shown to every certificate, the rest is", async () => {
    const { app } = bench(proven("client.global.nomad"));
    for (const path of ["/v1/operator/raft/configuration", "/v1/operator/snapshot"]) {
      const refused = await ask(app, "GET", path);
      expect(refused.status).toBe(403);
      expect(refused.body).toContain("the certificate is for client.global.nomad");
      expect(refused.body).toContain("cli.global.nomad or server.global.nomad");
    }
    expect((await ask(app, "GET", "/v1/agent/members")).status).toBe(200);
    expect((await ask(app, "GET", "/v1/status")).status).toBe(200);
  });

  test("the host's own names count as ours", () => {
    const request = { path: "/", host: "n1:4646", origin: undefined, fetchSite: undefined };
    expect(refuseChange(request, LOCAL, OWN)).toBeUndefined();
    expect(refuseChange(request, LOCAL, { ...OWN, names: [] })).toContain("Host header");
  });
});

describe("a name that is pointed at this machine", () => {
  const read = async (caller: Caller, host: string): Promise<number> => {
    return (await ask(bench(caller).app, "GET", "/v1/agent/members", { host })).status;
  };
  test("shows a web page nothing", async () => {
    expect(await read(LOCAL, "evil.example:4646")).toBe(403);
    expect(await read({ ...LOCAL, proxy: true }, "evil.example:4646")).toBe(403);
    for (const host of ["127.0.0.1:4646", "localhost:4646", "[::1]:4646", "n1", "LOCALHOST"]) {
      expect([host, await read(LOCAL, host)]).toEqual([host, 200]);
    }
  });
  test("does no harm from other machines, and none over TLS", async () => {
    expect(await read(REMOTE, "nomad.service.example:4646")).toBe(200);
    const request = { path: "/", host: "x.example", origin: undefined, fetchSite: undefined };
    expect(refuseRead(request, LOCAL, { ...OWN, secured: true })).toBeUndefined();
  });
});

test("whoever hangs up ends the question that waits for it", async () => {
  const { context } = bench(LOCAL);
  const signals: (AbortSignal | undefined)[] = [];
  const call: ApiContext["call"] = (_method, _body, signal) => {
    signals.push(signal);
    return new Promise((_resolve, reject) =>
      signal?.addEventListener("abort", () => reject("gone")),
    );
  };
  const own = (): OwnIdentity => OWN;
  const app = createHttpApp({
    context: { ...context, call },
    log: silent,
    callerOf: () => LOCAL,
    own,
  });
  for (const path of ["/v1/nodes?index=7", `/v1/node/${"a".repeat(36)}?index=7`]) {
    const hangUp = new AbortController();
    const init = { headers: { host: "localhost" }, signal: hangUp.signal };
    const answer = app.handle(new Request(`http://localhost${path}`, init));
    while (signals.length === 0) await Promise.resolve();
    hangUp.abort();
    expect((await answer).status).toBe(500);
    expect(signals.pop()?.aborted).toBe(true);
  }
});

describe("paths that are none", () => {
  test("bytes that are no text are a mistake of the caller's", async () => {
    const { app } = bench(LOCAL);
    for (const path of ["/v1/node/%ff", "/v1/node/%ff/purge", "/v1/node/%zz", "/v1/%ff"]) {
      const { status } = await ask(app, path.endsWith("purge") ? "PUT" : "GET", path);
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
    }
  });
});

/** JSON as msgpack. */
function packed(value: unknown): Uint8Array {
  const writer = new MsgpackWriter();
  if (value === null || value === undefined) return writer.nil().take();
  if (typeof value === "boolean") return writer.bool(value).take();
  if (typeof value === "number") return writer.int(BigInt(value)).take();
  if (typeof value === "string") return writer.text(value).take();
  if (Array.isArray(value)) {
    writer.array(value.length);
    for (const one of value) writer.append(packed(one));
    return writer.take();
  }
  const entries = Object.entries(Object(value));
  writer.map(entries.length);
  for (const [key, one] of entries) writer.text(key).append(packed(one));
  return writer.take();
}

describe("endpoints that we have not, in another region", () => {
  interface Passed {
    readonly method: string;
    readonly body: Readonly<Record<string, unknown>>;
  }
  const meta = { Index: 7, KnownLeader: true, LastContact: 3_000_000 };
  /** @param reply what the other region's server answers, or its error */
  function abroad(reply: object | Error, caller = REMOTE): { app: HttpApp; passed: Passed[] } {
    const passed: Passed[] = [];
    const { app } = bench(caller, true, async (method, body) => {
      passed.push({ method, body: Object(jsonOf(body)) });
      // It is known to servers of both kinds.
      if (method === "NodePool.List") return packed({ ...meta, NodePools: null });
      if (reply instanceof Error) throw reply;
      return packed(reply);
    });
    return { app, passed };
  }
  test("a list, with its options, its token and its index", async () => {
    const { app, passed } = abroad({ ...meta, Jobs: [{ ID: "a", Priority: 50 }] });
    const url = "http://localhost/v1/jobs?region=eu&prefix=a&namespace=*&reverse=true";
    const headers = { "x-nomad-token": "t1" };
    const response = await app.handle(new Request(url, { headers }));
    expect(await response.json()).toEqual([{ ID: "a", Priority: 50 }]);
    expect(response.headers.get("x-nomad-index")).toBe("7");
    expect(response.headers.get("x-nomad-lastcontact")).toBe("3");
    const body = { Region: "eu", Prefix: "a", Namespace: "*", Reverse: true, AuthToken: "t1" };
    expect(passed).toEqual([{ method: "Job.List", body: expect.objectContaining(body) }]);
  });

  test("how jobs are that are named, in any namespace", async () => {
    const { app, passed } = abroad({ ...meta, Jobs: [{ ID: "a" }] });
    const post = (body: object, query = "") => {
      const url = `http://localhost/v1/jobs/statuses${query}`;
      return app.handle(new Request(url, { method: "POST", body: JSON.stringify(body) }));
    };
    const jobs = [{ id: "a" }, { id: "b", namespace: "n" }];
    expect(await (await post({ jobs }, "?region=eu")).json()).toEqual([{ ID: "a" }]);
    const Jobs = [
      { ID: "a", Namespace: "default" },
      { ID: "b", Namespace: "n" },
    ];
    const body = expect.objectContaining({ IncludeChildren: false, Jobs, Namespace: "*" });
    expect(passed).toEqual([{ method: "Job.Statuses", body }]);
    const none = await post({ jobs: [] });
    expect([none.status, await none.text()]).toEqual([400, "no jobs in request"]);
  });

  const one: readonly (readonly [path: string, method: string, key: string, name: string])[] = [
    ["/v1/job/a%2Fb", "Job.GetJob", "JobID", "a/b"],
    ["/v1/job/a/allocations", "Job.Allocations", "JobID", "a"],
    ["/v1/node/pool/gpu", "NodePool.GetNodePool", "Name", "gpu"],
    ["/v1/deployment/allocations/d1", "Deployment.Allocations", "DeploymentID", "d1"],
  ];
  for (const [path, method, key, name] of one) {
    test(`${path} is ${method}`, async () => {
      const { app, passed } = abroad(meta);
      await ask(app, "GET", `${path}?region=eu`);
      expect(passed).toEqual([{ method, body: expect.objectContaining({ [key]: name }) }]);
    });
  }

  test("nothing there: an empty list, or a 404 in Nomad's words", async () => {
    const { app } = abroad({ ...meta, NodePools: null, Job: null });
    expect((await ask(app, "GET", "/v1/node/pools?region=eu")).body).toBe("[]");
    const job = await ask(app, "GET", "/v1/job/x?region=eu");
    expect(job).toMatchObject({ status: 404, body: "job not found" });
  });

  test("errors of that region are said; what it has not either is not there", async () => {
    const lost = abroad(new Error("No path to region"));
    const answer = await ask(lost.app, "GET", "/v1/jobs?region=eu");
    expect(answer).toMatchObject({ status: 500, body: "No path to region" });
    const ours = abroad(new Error("rpc error: rpc: can't find service Job.List"));
    const none = await ask(ours.app, "GET", "/v1/jobs?region=eu");
    expect(none).toMatchObject({ status: 200, body: "[]" });
    expect(ours.passed.map(({ body }) => body["Region"])).toEqual(["eu", "eu"]);
    const job = await ask(ours.app, "GET", "/v1/job/x?region=eu");
    expect(job).toMatchObject({ status: 404, body: "job not found" });
  });

  test("a token goes to other regions only, with whatever is asked", async () => {
    const { app, passed } = abroad({ ...meta, Nodes: [] });
    const paths = ["/v1/nodes", "/v1/operator/raft/configuration", "/v1/status/peers"];
    const headers: Record<string, string>[] = [
      { "x-nomad-token": "t1" },
      { authorization: "Bearer t1" },
    ];
    for (const one of headers) {
      for (const path of paths) {
        for (const query of ["?region=eu", "?region=global", ""]) {
          await app.handle(new Request(`http://localhost${path}${query}`, { headers: one }));
          const asked = passed.pop()?.body;
          expect(asked?.["AuthToken"]).toBe(query === "?region=eu" ? "t1" : "");
        }
      }
    }
  });

  test("our own region is not asked, and other paths and methods are not passed on", async () => {
    const { app, passed } = abroad(meta);
    for (const path of ["/v1/jobs", "/v1/jobs?region=global"]) {
      expect(await ask(app, "GET", path)).toMatchObject({ status: 200, body: "[]" });
    }
    expect(passed.map(({ method }) => method)).toEqual(["Alloc.List", "Alloc.List"]);
    expect((await ask(app, "GET", "/v1/nope?region=eu")).status).toBe(404);
    expect((await ask(app, "PUT", "/v1/jobs?region=eu")).status).toBe(403);
    expect(passed).toHaveLength(2);
  });

  test("changes are passed on for operators, with what their bodies say", async () => {
    const { app, passed } = abroad({ Index: 9, EvalID: "e1" }, LOCAL);
    const send = async (method: string, path: string, body: string | null = null) => {
      const headers = { host: "localhost", "x-nomad-token": "t1" };
      const url = `http://localhost${path}`;
      const response = await app.handle(new Request(url, { method, headers, body }));
      const index = response.headers.get("x-nomad-index");
      return { status: response.status, index, text: await response.text() };
    };
    const gone = await send("DELETE", "/v1/job/a%2Fb?region=eu&purge=true&namespace=n");
    expect(gone).toEqual({ status: 200, index: "9", text: '{"Index":9,"EvalID":"e1"}' });
    const payload = { Meta: { a: "b" }, Payload: "aGk=", Priority: 50 };
    await send("POST", "/v1/job/a/dispatch?region=eu", JSON.stringify(payload));
    await send("PUT", "/v1/deployment/pause/d1?region=eu", '{"Pause":true}');
    const common = { Region: "eu", AuthToken: "t1" };
    expect(passed).toEqual([
      {
        method: "Job.Deregister",
        body: { ...common, JobID: "a/b", Purge: true, Namespace: "n" },
      },
      {
        method: "Job.Dispatch",
        body: { ...common, ...payload, Payload: "hi", JobID: "a", Namespace: "default" },
      },
      {
        method: "Deployment.Pause",
        body: { ...common, DeploymentID: "d1", Pause: true, Namespace: "default" },
      },
    ]);
    const job = await send("PUT", "/v1/jobs?region=eu", "{}");
    expect(job.status).toBe(501);
    expect(job.text).toContain("ask an agent there");
    expect((await send("PUT", "/v1/jobs", "{}")).text).toBe("this agent has no job scheduler");
    expect((await send("PUT", "/v1/job/a/dispatch?region=eu", "[")).status).toBe(400);
    expect(passed).toHaveLength(3);
  });

  test("large numbers keep their digits", async () => {
    const { app } = abroad({ ...meta, Jobs: [{ Big: "x" }] });
    const big = new MsgpackWriter().uint(18_446_744_073_709_551_615n).take();
    const { app: exact } = bench(REMOTE, true, async () => {
      return new MsgpackWriter()
        .map(2)
        .text("Index")
        .append(packed(7))
        .text("Jobs")
        .array(1)
        .append(big)
        .take();
    });
    expect((await ask(exact, "GET", "/v1/jobs?region=eu")).body).toBe("[18446744073709551615]");
    expect((await ask(app, "GET", "/v1/jobs?region=eu")).body).toBe('[{"Big":"x"}]');
  });
});

test("what callers can cause is not an ERROR each", async () => {
  const { context } = bench(REMOTE, true, async () => Promise.reject(new TypeError("a bug")));
  const errors: string[] = [];
  const app = createHttpApp({
    context: { ...context, reload: () => Promise.reject(new TypeError("a bug")) },
    log: { ...silent, error: (message) => void errors.push(message) },
    callerOf: () => REMOTE,
    own: () => OWN,
  });
  const paths = ["/v1/node/%ff", "/v1/node/%E0%A4%A", "/v1/node/x", "/v1/nodes?index=x", "/v1/%zz"];
  for (let i = 0; i < 20; i++) {
    for (const path of paths) await app.handle(new Request(`http://127.0.0.1${path}`));
  }
  expect(errors.length).toBeLessThanOrEqual(1);
});

describe("query parameters", () => {
  const wrong: readonly (readonly [path: string, text: string])[] = [
    ["/v1/nodes?stale=foo", "Expect `true` or `false` for `stale` query string parameter"],
    ["/v1/nodes?index=x", "Invalid index"],
    ["/v1/nodes?index=-1", "Invalid index"],
    ["/v1/nodes?wait=x", "Invalid wait time"],
    ["/v1/jobs?wait=5", "Invalid wait time"],
    ["/v1/nodes?per_page=x", "Expect a number for `per_page` query string parameter"],
    ["/v1/status/leader?stale=1x", "Expect `true` or `false` for `stale` query string parameter"],
  ];
  for (const [path, text] of wrong) {
    test(`${path}: ${text}`, async () => {
      const answer = await ask(bench(LOCAL).app, "GET", path);
      const type = "text/plain; charset=utf-8";
      expect(answer).toEqual({ status: 400, body: text, type });
    });
  }
  test("of which nobody knows are ignored, and so are empty ones", async () => {
    const { app } = bench(LOCAL);
    for (const path of ["/v1/status/leader?x=1&index=x", "/v1/regions?stale=foo"]) {
      expect((await ask(app, "GET", path)).status).toBe(200);
    }
  });
  test("the first of several counts, as in Nomad", async () => {
    const { app, leaves } = bench(LOCAL);
    await ask(app, "PUT", "/v1/agent/force-leave?node=a.global&node=b.global");
    expect(leaves).toEqual([["a.global", false]]);
  });
  test("addresses are a list, as they were written", async () => {
    const { app, joins } = bench(LOCAL);
    await ask(app, "PUT", "/v1/agent/join?address=[::1]:4648&address=a");
    await ask(app, "POST", "/v1/agent/join?address=[::1]:4648");
    expect(joins).toEqual([["[::1]:4648", "a"], ["[::1]:4648"]]);
  });
});

test("a wait that is longer than any number of nanoseconds is a long one", async () => {
  const waits: bigint[] = [];
  const { app } = bench(LOCAL, true, async (_method, body) => {
    waits.push(decodeQueryOptions(body)?.MaxQueryTime ?? 0n);
    return Uint8Array.of(0x80);
  });
  for (const hours of ["9".repeat(25), "9".repeat(400)]) {
    expect((await ask(app, "GET", `/v1/nodes?index=1&wait=${hours}h`)).status).toBe(200);
  }
  expect(waits).toEqual([2n ** 63n - 1024n, 2n ** 63n - 1024n]);
});

test("no error of another server or node is an answer of another kind", async () => {
  // With these a body would follow that has none, and be the next answer of the connection.
  for (const code of ["000", "101", "200", "204", "304", "600", "999"]) {
    const evil = `RPC Error:: ${code},HTTP/1.1 200 OK\r\n\r\n`;
    const { app } = bench(LOCAL, true, () => Promise.reject(new Error(evil)));
    const { status, body } = await ask(app, "GET", "/v1/client/stats?node_id=x");
    expect([code, status, body]).toEqual([code, 500, "HTTP/1.1 200 OK\r\n\r\n"]);
  }
});

test("what a token may not do is told with one look at whose it is", async () => {
  let looks = 0;
  const { context } = bench(LOCAL);
  const resolve = async (): Promise<never> => {
    looks += 1;
    throw new Error("ACL token not found");
  };
  const app = createHttpApp({
    ...{ context: { ...context, acl: { enabled: true, resolve } }, log: silent },
    ...{ callerOf: () => LOCAL, own: () => ({ ...OWN, byToken: true }) },
  });
  const { body } = await ask(app, "GET", "/v1/agent/permissions");
  expect(Object.keys(JSON.parse(body).Refused).length).toBeGreaterThan(50);
  expect(looks).toBe(1);
});

describe("the machine of an agent", () => {
  const hostOf = async (query: string, enableDebug = true): Promise<[number, string]> => {
    const { context } = bench(LOCAL);
    const config = { ...context.config, enableDebug };
    const init = { context: { ...context, config }, log: silent, own: () => OWN };
    const app = createHttpApp({ ...init, callerOf: () => LOCAL });
    const { status, body } = await ask(app, "GET", `/v1/agent/host${query}`);
    return [status, body];
  };
  test("is shown where enable_debug is on, without secrets", async () => {
    expect(await hostOf("", false)).toEqual([403, "Permission denied"]);
    process.env["X_TEST_SECRET"] = "geheim";
    const [status, body] = await hostOf("?server_id=n1.global");
    expect(status).toBe(200);
    expect(JSON.parse(body).AgentID).toBe("id");
    expect(body).not.toContain("geheim");
    delete process.env["X_TEST_SECRET"];
  });
  test("and no other one's but a client node's", async () => {
    expect((await hostOf("?server_id=other"))[0]).toBe(501);
    const both = "Can only query one of Client ID or Server ID";
    expect(await hostOf("?server_id=a&node_id=b")).toEqual([400, both]);
  });
});

test("a region without ACLs takes no change from somebody whom nobody has judged", async () => {
  const changes: string[] = [];
  for (const answer of ["RPC Error:: 400,ACL support disabled", "Permission denied"]) {
    const call: ApiContext["call"] = async (method) => {
      if (method === "ACL.ListPolicies") throw new Error(answer);
      changes.push(answer);
      return Uint8Array.of(0x80);
    };
    const appFor = (caller: Caller): HttpApp => {
      const { context } = bench(caller, true, call);
      const acl = {
        enabled: true,
        resolve: () => Promise.reject(new Error("ACL token not found")),
      };
      return createHttpApp({
        ...{ context: { ...context, acl }, log: silent },
        ...{ callerOf: () => caller, own: () => ({ ...OWN, byToken: true }) },
      });
    };
    const path = "/v1/system/gc?region=other";
    const isLet = answer === "Permission denied";
    expect((await ask(appFor(REMOTE), "PUT", path)).status).toBe(isLet ? 200 : 403);
    expect((await ask(appFor(proven("cli.global.nomad")), "PUT", path)).status).toBe(200);
  }
  expect(changes.length).toBe(3);
});
