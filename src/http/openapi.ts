/** The table of endpoints as an OpenAPI 3.1 document. Loaded when somebody asks for it. */
import type { TSchema } from "elysia";
import { VERSION } from "../version.ts";
import { type Declared, type Method, type Shape, twinsOf } from "./endpoint.ts";
import { SCHEMAS } from "./schemas/all.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApi(table: readonly Declared[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const endpoint of table) {
    for (const method of [endpoint.method, ...twinsOf(endpoint, endpoint.method)]) {
      const path = templateOf(endpoint.path);
      paths[path] ??= {};
      paths[path][method.toLowerCase()] ??= operation(endpoint, method);
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Nomad's HTTP API, as far as this agent has it",
      version: VERSION.agent,
      description:
        "Errors are bare texts. Parameters that are not named here are ignored. Without ACLs, what " +
        "changes something or shows a secret is for operators: from the machine itself, or with a " +
        "certificate that proves one.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths,
    components: {
      schemas: plain(SCHEMAS),
      responses: { Error: { description: "Why not", content: { "text/plain": TEXT } } },
      headers: HEADERS,
      securitySchemes: {
        token: { type: "apiKey", in: "header", name: "X-Nomad-Token" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

const TEXT = { schema: { type: "string" } };

const HEADERS = {
  "X-Nomad-Index": { description: "of the last change", schema: { type: "integer" } },
  "X-Nomad-KnownLeader": { description: "is there one?", schema: { type: "boolean" } },
  "X-Nomad-LastContact": {
    description: "milliseconds since the server heard of its leader",
    schema: { type: "integer" },
  },
  "X-Nomad-NextToken": { description: "where the next page begins", schema: { type: "string" } },
};

function operation(endpoint: Declared, method: Method): Json {
  const { summary, takes, needs, path } = endpoint;
  const words = templateOf(path)
    .split(/[^a-z\d]+/i)
    .filter((word) => word !== "" && word !== "v1");
  return {
    operationId: [method.toLowerCase(), ...words].join("-"),
    summary,
    tags: [tagOf(path)],
    ...parametersOf(endpoint),
    ...(takes === undefined ? {} : { requestBody: { content: contentOf(takes) } }),
    responses: responsesOf(endpoint),
    security: needs === "anonymous" ? [] : [{ token: [] }, { bearer: [] }, {}],
    "x-nomad-needs": needs,
    "x-nomad-from": endpoint.from,
    ...(endpoint.blocks === true ? { "x-nomad-blocks": true } : {}),
    ...(endpoint.streams === true ? { "x-nomad-streams": true } : {}),
  };
}

/** The topic: jobs and job are one. */
function tagOf(path: string): string {
  const [, , topic = ""] = path.split("/");
  return topic === "status" ? topic : topic.replace(/s$/, "").replace("policie", "policy");
}

function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, "{$1}").replace("*", "{path}");
}

function parametersOf({ path, query }: Declared): Json {
  const names = [...templateOf(path).matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const inPath = names.map((name) => ({
    ...{ name, in: "path", required: true, schema: { type: "string" } },
  }));
  const inQuery = Object.entries<TSchema>(query?.["properties"] ?? {}).map(([name, schema]) => {
    const { description } = schema;
    const allowEmptyValue = /\|?\)\?\$$/.test(String(schema["pattern"] ?? ""));
    const given = { name, in: "query", required: false, schema: bare(schema) };
    return { ...given, description, ...(allowEmptyValue ? { allowEmptyValue } : {}) };
  });
  const parameters = [...inPath, ...inQuery];
  return parameters.length === 0 ? {} : { parameters };
}

function responsesOf(endpoint: Declared): Json {
  const error = { $ref: "#/components/responses/Error" };
  if (endpoint.refuses !== undefined) return { [endpoint.refuses]: error, default: error };
  const headers = Object.keys(HEADERS).map((name) => [
    name,
    { $ref: `#/components/headers/${name}` },
  ]);
  const good = {
    description: endpoint.answers === undefined ? "Done" : endpoint.summary,
    ...(endpoint.answers === undefined ? {} : { content: contentOf(endpoint.answers) }),
    ...(endpoint.indexed === true ? { headers: Object.fromEntries(headers) } : {}),
  };
  const { statuses = [200] } = endpoint;
  return { ...Object.fromEntries(statuses.map((status) => [status, good])), default: error };
}

function contentOf(shape: Shape): Json {
  if (shape === "application/x-gzip") return { [shape]: {} };
  return { "application/json": { schema: { $ref: `#/components/schemas/${shape}` } } };
}

/** JSON Schema as it is written, without what is only for this program. */
function bare(schema: TSchema): unknown {
  const { description: _, error: __, elysiaMeta: ___, ...rest } = schema;
  return plain(rest);
}

function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
