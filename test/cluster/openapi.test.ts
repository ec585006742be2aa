/**
 * The compiled binary against its own OpenAPI document: for every operation valid and invalid
 * parameters, bodies, methods and headers, out of a seed. FUZZ_SEED and FUZZ_RUNS change them.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import Ajv from "ajv/dist/2020";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "./agents.ts";
import { type FuzzRequest, type Operation, operationsOf, requestsOf } from "./openapi-requests.ts";

setDefaultTimeout(600_000);

const IP = `${NET}.152.1`;
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_126);
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 20);
const ANSWER_MS_MAX = 9000;
/** About 130 MB with this many requests, 190 MB with eight times as many. */
const GROWTH_KB_MAX = 250_000;

/** Words of the runtime or of our source, which say nothing to whoever asked. */
const INTERNAL = new RegExp(
  "TypeError|RangeError|ReferenceError|SyntaxError|AssertionError|undefined is not|null is not|" +
    "is not a function|Cannot read|evaluating '|Maximum call stack|JSON Parse error|Unexpected token|" +
    "Invalid array|out of memory|Warning: |\\bat [^ ]+:\\d+|\\.(ts|js):\\d|\\$bunfs|node:internal|\\[object ",
);

const lab = new Lab();
let agent: Agent;
let document: Json;
let known: readonly string[] = [];
/** May do anything, so that nothing is refused before it is looked at. */
let token = "";
const validators = new Map<string, ReturnType<Ajv["compile"]>>();

beforeAll(async () => {
  const client = { enabled: true, servers: [IP] };
  const server = { bootstrap_expect: 1 };
  const encrypt = Buffer.alloc(16, 7).toString("base64");
  const limits = { http_max_conns_per_client: 0 };
  const extra = { acl: { enabled: true }, client, limits, log_level: "WARN" };
  agent = await lab.agent({ name: "o1", ip: IP, encrypt, server, extra });
  const { SecretID } = await until("a token", () => json("PUT", "/v1/acl/bootstrap"));
  token = SecretID;
  const [node] = await until("the node", async () => {
    const nodes = await json("GET", "/v1/nodes");
    return nodes[0]?.Status === "ready" && nodes;
  });
  await json("PUT", "/v1/acl/policy/p", { Name: "p", Rules: 'node { policy = "read" }' });
  const role = await json("PUT", "/v1/acl/role", { Name: "r", Policies: [{ Name: "p" }] });
  const one = { Name: "t", Type: "client", Policies: ["p"] };
  const { AccessorID } = await json("PUT", "/v1/acl/token", one);
  known = [node.ID, role.ID, AccessorID, "p", "r", "default"];
  document = await getJson(IP, "/v1/openapi.json");
  const ajv = new Ajv({ strict: false, logger: false });
  addFormats(ajv);
  ajv.addSchema(document, "openapi");
  for (const name of Object.keys(document.components.schemas)) {
    validators.set(name, ajv.compile({ $ref: `openapi#/components/schemas/${name}` }));
  }
});
afterAll(() => lab[Symbol.asyncDispose]());

async function json(method: string, path: string, body?: object): Promise<Json> {
  const answer = await fetch(`http://${IP}:4646${path}`, {
    ...{ method, headers: { "X-Nomad-Token": token } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** @returns what is wrong with the answer, or nothing */
async function faultOf(operation: Operation, request: FuzzRequest): Promise<string | undefined> {
  const { method, target, body } = request;
  const headers = { "X-Nomad-Token": token, ...request.headers };
  try {
    const answer = await fetch(`http://${IP}:4646${target}`, {
      ...{ method, headers, redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS_MAX) },
      ...(body === undefined || /GET|HEAD/.test(method) ? {} : { body }),
    });
    if (operation.declared["x-nomad-streams"] === true && answer.ok) {
      await answer.body?.cancel();
      return undefined;
    }
    const text = await answer.text();
    if (answer.status >= 400) return faultOfRefusal(method, answer, text);
    return faultOfAnswer(document.paths[operation.path]?.[method.toLowerCase()], answer, text);
  } catch (error) {
    return `no answer: ${error}`;
  }
}

function faultOfRefusal(method: string, { status, headers }: Response, text: string) {
  if (method === "HEAD") return undefined;
  if (status >= 500 && text === "") return `${status} without a cause`;
  if (INTERNAL.test(text)) return `${status} ${text}`;
  const type = headers.get("content-type") ?? "text/plain";
  // Autopilot's health and an agent's say by their status that something is wrong.
  return /^text\/plain|^application\/json/.test(type) ? undefined : `${status} of type ${type}`;
}

/** @param declared undefined: the document has no such operation, as for HEAD */
function faultOfAnswer(declared: Json, { status, headers }: Response, text: string) {
  if (declared === undefined) return undefined;
  const response = declared.responses[status];
  if (response === undefined) return `${status} is not documented`;
  const { content } = response;
  if (content === undefined) return text === "" ? undefined : `no answer is documented: ${text}`;
  const type = headers.get("content-type") ?? "";
  const name = content["application/json"]?.schema.$ref.split("/").at(-1);
  if (name === undefined || text === "" || type.startsWith("text/plain")) return undefined;
  if (!type.startsWith("application/json")) return `${status} of type ${type}`;
  const validate = validators.get(name);
  if (validate === undefined || validate(JSON.parse(text)) === true) return undefined;
  return `not as ${name}: ${JSON.stringify(validate.errors?.[0])}: ${text.slice(0, 300)}`;
}

test("nothing that is asked crashes it, hangs, or is answered otherwise than documented", async () => {
  expect(document.openapi).toStartWith("3.1");
  const operations = operationsOf(document);
  expect(operations.length).toBeGreaterThan(100);
  const before = agent.residentKb;
  const faults: string[] = [];
  for (const [i, operation] of operations.entries()) {
    const requests = requestsOf(operation, document.components.schemas, known);
    const property = fc.asyncProperty(requests, async (request) => {
      const fault = await faultOf(operation, request);
      if (fault !== undefined) throw new Error(fault);
    });
    const result = await fc.check(property, { seed: SEED + i, numRuns: RUNS });
    if (!result.failed) continue;
    const [request] = result.counterexample ?? [];
    const what = `${operation.method} ${operation.path}, FUZZ_SEED=${SEED}`;
    const shown = JSON.stringify(request).slice(0, 600);
    faults.push(`${what}: ${Object(result.errorInstance).message}\n  ${shown}`);
  }
  expect(faults).toEqual([]);
  expect(await getJson(IP, "/v1/status/leader")).toBe(`${IP}:4647`);
  expect(agent.residentKb - before).toBeLessThan(GROWTH_KB_MAX);
  expect(lab.log("o1")).not.toMatch(INTERNAL);
});
