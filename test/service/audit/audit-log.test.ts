/** What is written down of a change, what is not, and what becomes of it when nothing can be. */
import { describe, expect, test } from "bun:test";
import type { AuditFilter } from "../../../src/config/config.ts";
import { redactText } from "../../../src/config/redact.ts";
import {
  AuditError,
  AuditLog,
  type AuditOutput,
  type AuditRequest,
} from "../../../src/service/audit/audit-log.ts";
import { silent } from "../../silent.ts";

const NODE = "aa110000-aaaa-4000-8000-000000000001";
const KEY = "T9jncgl9mbLus+baTTa7q7nPSUrXwbDi2dhbtqir37s=";
const FROM = {
  address: "10.0.0.9:50000",
  names: ["cli.global.nomad"],
  fingerprint: "ab".repeat(32),
  userAgent: "curl/8",
};
const REQUEST: AuditRequest = {
  type: "HTTPEvent",
  operation: "PUT",
  endpoint: `/v1/node/${NODE}/drain`,
  from: FROM,
};

interface Bench {
  readonly audit: AuditLog;
  // biome-ignore lint/suspicious/noExplicitAny: JSON, checked by the expectations
  readonly events: () => any[];
  readonly text: () => string;
  breakDown(why: string): void;
}

function bench(filters: readonly AuditFilter[] = [], isEnforced = true): Bench {
  const lines: string[] = [];
  let broken = "";
  let ids = 0;
  const output: AuditOutput = {
    path: "/var/log/audit.log",
    isEnforced,
    append: (line) => {
      if (broken !== "") throw new Error(broken);
      lines.push(line);
    },
    reopen: () => undefined,
    close: () => undefined,
  };
  const audit = new AuditLog({
    ...{ outputs: [output], filters, log: silent, redact: redactText },
    node: { ip: "10.0.0.1:4646", name: "n1" },
    wallMs: () => 1_800_000_000_000,
    newId: () => `id-${ids++}`,
  });
  const text = (): string => lines.join("\n");
  const events = (): unknown[] => lines.map((line) => JSON.parse(line));
  const breakDown = (why: string): void => {
    broken = why;
  };
  return { audit, events, text, breakDown };
}

test("two lines, with one id: when it is asked for, and when it is answered", () => {
  const { audit, events } = bench();
  audit.begin({ ...REQUEST, parameters: { enable: "true" } })({ status: 403, error: "no" });
  const [received, complete] = events();
  expect(received).toEqual({
    created_at: "2027-01-15T08:00:00.000Z",
    event_type: "audit",
    payload: {
      id: "id-1",
      stage: "OperationReceived",
      type: "audit",
      timestamp: "2027-01-15T08:00:00.000Z",
      version: 1,
      auth: { certificate: { names: FROM.names, fingerprint: FROM.fingerprint } },
      request: {
        id: "id-0",
        operation: "PUT",
        endpoint: REQUEST.endpoint,
        namespace: { id: "default" },
        parameters: { enable: "true" },
        request_meta: { remote_address: FROM.address, user_agent: "curl/8" },
        node_meta: { ip: "10.0.0.1:4646", name: "n1" },
      },
    },
  });
  expect(complete.payload).toMatchObject({
    stage: "OperationComplete",
    request: { id: "id-0" },
    response: { status_code: 403, error: "no" },
  });
  expect([audit.written, audit.failed]).toEqual([2, 0]);
});

test("no key in it, wherever a caller has put one; lines stay short", () => {
  const { audit, text } = bench();
  const request = {
    ...REQUEST,
    endpoint: `/v1/agent/keyring/install/${KEY}${"/x".repeat(5000)}`,
    parameters: { node: KEY, id: `token=${NODE}` },
    namespace: KEY,
    from: { ...FROM, userAgent: `x ${KEY}`, names: [KEY] },
  };
  audit.begin(request)({ status: 500, error: `bad key ${KEY}` });
  expect(text()).not.toContain(KEY);
  expect(text()).not.toContain(NODE);
  for (const line of text().split("\n")) expect(line.length).toBeLessThan(4000);
});

describe("a filter", () => {
  const filter: AuditFilter = {
    type: "HTTPEvent",
    endpoints: ["/v1/node/*"],
    stages: ["OperationReceived"],
    operations: ["*"],
  };
  const stages = (...filters: readonly AuditFilter[]): readonly string[] => {
    const { audit, events } = bench(filters);
    audit.begin(REQUEST)({ status: 200, error: "" });
    return events().map(({ payload }) => payload.stage);
  };

  test("keeps out what it fits, stage by stage", () => {
    expect(stages(filter)).toEqual(["OperationComplete"]);
    expect(stages({ ...filter, stages: ["*"], operations: ["PUT"] })).toEqual([]);
  });

  test("and nothing else", () => {
    const both = ["OperationReceived", "OperationComplete"];
    expect(stages({ ...filter, operations: ["DELETE"] })).toEqual(both);
    expect(stages({ ...filter, endpoints: ["/v1/nodes"] })).toEqual(both);
    expect(stages({ ...filter, type: "RPCEvent" })).toEqual(both);
    expect(stages({ ...filter, endpoints: [] })).toEqual(both);
  });
});

describe("a disk that is full", () => {
  test("refuses the change where that is asked for, until there is room", () => {
    const { audit, breakDown } = bench();
    breakDown("no space left on device");
    expect(() => audit.begin(REQUEST)).toThrow(AuditError);
    expect(audit.problem).toBe(
      "the audit log /var/log/audit.log cannot be written: no space left on device",
    );
    expect(audit.failed).toBe(1);
    breakDown("");
    audit.begin(REQUEST);
    expect(audit.problem).toBe("");
  });

  test("is counted where changes go on, and what is done is never called undone", () => {
    const lax = bench([], false);
    lax.breakDown("full");
    lax.audit.begin(REQUEST)({ status: 200, error: "" });
    expect(lax.audit.failed).toBe(2);
    const strict = bench();
    const complete = strict.audit.begin(REQUEST);
    strict.breakDown("full");
    complete({ status: 200, error: "" });
    expect(strict.audit.failed).toBe(1);
  });
});
