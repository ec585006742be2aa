/** What of HTTP is written down: changes, and the reading of secrets, with their answers. */
import { expect, test } from "bun:test";
import { auditedApp } from "../../src/http/audited-app.ts";
import { AuditLog } from "../../src/service/audit/audit-log.ts";
import { silent } from "../silent.ts";

const CALLER = { ip: Uint8Array.of(10, 0, 0, 9), port: 50_000, names: ["cli.global.nomad"] };

function bench(answer: () => Response, broken = false) {
  const lines: string[] = [];
  let asked = 0;
  const append = (line: string): void => {
    if (broken) throw new Error("no space left on device");
    lines.push(line);
  };
  const output = { path: "a.log", isEnforced: true, append, reopen() {}, close() {} };
  const audit = new AuditLog({
    ...{ outputs: [output], filters: [], node: {}, log: silent, redact: (text) => text },
    ...{ wallMs: () => 0, newId: () => "id" },
  });
  const handle = async (): Promise<Response> => {
    asked += 1;
    return answer();
  };
  const app = auditedApp({ handle, vouchesFor: async () => false }, audit, {
    callerOf: () => CALLER,
    bearerOf: (secret) => (secret === "s3cret-token" ? { accessor_id: "acc" } : undefined),
  });
  const ask = (method: string, path: string, body?: string): Promise<Response> => {
    const headers = { "user-agent": "curl/8", "x-nomad-token": "s3cret-token" };
    const init = body === undefined ? { method, headers } : { method, headers, body };
    return app.handle(new Request(`http://localhost${path}`, init));
  };
  const payloads = () => lines.map((line) => JSON.parse(line).payload);
  return { ask, payloads, asked: () => asked, text: () => lines.join("\n") };
}

test("reading is not, but for keys and snapshots", async () => {
  const { ask, payloads } = bench(() => new Response("{}"));
  await ask("GET", "/v1/agent/self");
  await ask("GET", "/v1/metrics");
  expect(payloads()).toEqual([]);
  await ask("GET", "/v1/agent/keyring/list");
  await ask("GET", "/v1/operator/snapshot");
  expect(payloads()).toHaveLength(4);
});

test("a change is, with harmless parameters, but no body, token or other parameter", async () => {
  const { ask, payloads, text } = bench(() => new Response("done"));
  const answer = await ask("PUT", "/v1/agent/join?address=10.0.0.2&x=hidden", '{"Key":"body"}');
  expect(await answer.text()).toBe("done");
  const [received, complete] = payloads();
  expect(received.request).toMatchObject({
    operation: "PUT",
    endpoint: "/v1/agent/join",
    parameters: { address: "10.0.0.2" },
    request_meta: { remote_address: "10.0.0.9:50000", user_agent: "curl/8" },
  });
  expect(complete.response).toEqual({ status_code: 200 });
  expect(received.auth.accessor_id).toBe("acc");
  for (const secret of ["hidden", "body", "s3cret-token"]) expect(text()).not.toContain(secret);
});

test("a refusal is, too, with its reason, which the caller still gets", async () => {
  const { ask, payloads } = bench(() => new Response("Permission denied", { status: 403 }));
  const answer = await ask("DELETE", "/v1/operator/raft/peer?id=x");
  expect([answer.status, await answer.text()]).toEqual([403, "Permission denied"]);
  expect(payloads()[1].response).toEqual({ status_code: 403, error: "Permission denied" });
});

test("a change that cannot be written down is not made", async () => {
  const { ask, asked } = bench(() => new Response("done"), true);
  const answer = await ask("PUT", "/v1/agent/reload");
  expect(answer.status).toBe(500);
  expect(await answer.text()).toBe(
    "the audit log a.log cannot be written: no space left on device; the change was not made",
  );
  expect(asked()).toBe(0);
  expect((await ask("GET", "/v1/agent/self")).status).toBe(200);
});
