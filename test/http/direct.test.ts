/** The short way of simple requests: what it answers is what the way through the library answers. */
import { describe, expect, test } from "bun:test";
import { type Caller, STRANGER } from "../../src/http/access.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { type Asked, SimpleAsked } from "../../src/http/asked.ts";
import { auditedApp } from "../../src/http/audited-app.ts";
import { AuditLog } from "../../src/service/audit/audit-log.ts";
import { TABLE } from "../answers.ts";
import { silent } from "../silent.ts";
import { bench, LOCAL, OWN, REMOTE } from "./bench.ts";

const FIXED = TABLE.filter(({ method, path }) => method === "GET" && !/[:*]/.test(path));

interface Told {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const sorted = (headers: Iterable<readonly [string, string]>): Told["headers"] =>
  [...headers].map(([name, value]) => [name.toLowerCase(), value] as const).toSorted();

function agent(caller: Caller, resolve?: (token: string) => never) {
  const { context } = bench(LOCAL);
  const acl = resolve === undefined ? context.acl : { enabled: true, resolve };
  const callers = new WeakMap<Asked, Caller>();
  const app = createHttpApp({
    context: { ...context, acl },
    log: silent,
    callerOf: (asked) => (asked instanceof SimpleAsked ? asked.caller : callers.get(asked)),
    own: () => ({ ...OWN, byToken: acl.enabled }),
  });
  const request = (path: string, headers: Record<string, string>): Request => {
    const made = new Request(`http://localhost${path}`, { headers });
    callers.set(made, caller);
    return made;
  };
  const asked = (path: string, headers: Record<string, string>): SimpleAsked =>
    new SimpleAsked({ url: path, headers }, caller, {
      make: () => request(path, headers),
      signal: () => new AbortController().signal,
    });
  return { app, request, asked };
}

async function told(response: Response): Promise<Told> {
  // What goes on without an end is only begun.
  const endless = response.headers.get("x-accel-buffering") === "no";
  if (endless) await response.body?.cancel();
  const body = endless ? "" : await response.text();
  return { status: response.status, headers: sorted(response.headers), body };
}

async function direct({ app, asked }: ReturnType<typeof agent>, path: string, headers: object) {
  const answer = await app.direct?.(asked(path, { ...headers }));
  if (answer === undefined || answer instanceof Response) return answer && told(answer);
  const { status, body } = answer;
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : (body ?? "");
  return { status, headers: sorted(Object.entries(answer.headers)), body: text };
}

/** Numbers that time changes. */
const still = (one: Told | undefined) => one && { ...one, body: one.body.replaceAll(/\d/g, "0") };

const LIVE = ["/v1/metrics", "/v1/agent/host", "/v1/client/stats"];

describe("the short way", () => {
  const refused = (): never => {
    throw new Error("ACL token not found");
  };
  for (const [who, caller, headers, resolve] of [
    ["this machine", LOCAL, { host: "localhost" }, undefined],
    ["a name that is not ours", LOCAL, { host: "evil.example" }, undefined],
    ["a page of elsewhere", LOCAL, { host: "localhost", origin: "http://evil" }, undefined],
    ["another machine", REMOTE, { host: "10.0.0.1" }, undefined],
    ["nobody", STRANGER, {}, undefined],
    ["a token that is none", REMOTE, { host: "x", "x-nomad-token": "t" }, refused],
    ["a bearer of none", REMOTE, { host: "x", authorization: "Bearer t" }, refused],
  ] as const) {
    test(`answers ${who} as the library does`, async () => {
      const bothWays = agent(caller, resolve);
      let short = 0;
      for (const { path } of FIXED) {
        const one = await direct(bothWays, path, headers);
        if (one === undefined) continue;
        short += 1;
        const other = await told(await bothWays.app.handle(bothWays.request(path, headers)));
        if (LIVE.includes(path) && one.status === 200) {
          expect([path, one.headers]).toEqual([path, other.headers]);
        } else {
          expect([path, still(one)]).toEqual([path, still(other)]);
        }
      }
      expect(short).toBeGreaterThan(25);
    });
  }

  test("is none for paths with names in them, and for those that are not there", () => {
    const { app, asked } = agent(LOCAL);
    for (const path of ["/v1/node/x", "/v1/nope", "/", "/ui/", "/v1/nodes/", "/v1/nodes?x"]) {
      expect([path, app.direct?.(asked(path, {}))]).toEqual([path, undefined]);
    }
  });

  test("is none for what is written down", async () => {
    const { app, asked } = agent(LOCAL);
    const output = { path: "a.log", isEnforced: true, append() {}, reopen() {}, close() {} };
    const audit = new AuditLog({
      ...{ outputs: [output], filters: [], node: {}, log: silent, redact: (text) => text },
      ...{ wallMs: () => 0, newId: () => "id" },
    });
    const audited = auditedApp(app, audit, { callerOf: () => LOCAL, bearerOf: () => undefined });
    const headers = { host: "localhost" };
    expect(audited.direct?.(asked("/v1/agent/keyring/list", headers))).toBeUndefined();
    expect(audited.direct?.(asked("/v1/operator/snapshot", headers))).toBeUndefined();
    expect(await audited.direct?.(asked("/v1/status/leader", headers))).toBeDefined();
  });
});
