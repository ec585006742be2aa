/** Requests out of an OpenAPI document: as it says, and otherwise. */
import fc from "fast-check";
import { NET } from "../addresses.ts";
import type { Json } from "./agents.ts";

export interface Operation {
  readonly method: string;
  /** With names in braces. */
  readonly path: string;
  readonly declared: Json;
}

export interface FuzzRequest {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export function operationsOf(document: Json): readonly Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, declared]) => {
      return { method: method.toUpperCase(), path, declared };
    }),
  );
}

/** Texts that have broken something somewhere. */
const ODD = fc.constantFrom(
  ...["", " ", "0", "-1", "null", "true", "undefined", "__proto__", "constructor", "toString"],
  ...["18446744073709551616", "9".repeat(400), "1e400", "NaN", "%", "%00", "\u0000", "..", "../.."],
  ...["a/b", "a".repeat(3000), "{}", "[]", '"', "'", "\\", "<b>", "\ud800", "💥", "ﬀ", "\r\nX: y"],
  ...["*", "default", "global", "all", "11111111-1111-1111-1111-111111111111"],
);
const ANY_TEXT = fc.oneof(ODD, fc.string({ unit: "binary", maxLength: 40 }));

/** Whom an agent may be told to call: nobody beyond this machine. */
const NOBODY = fc.oneof(
  fc.constantFrom(
    `${NET}.0.1:1`,
    `${NET}.0.1:99999`,
    "[::1",
    "::1:1",
    ":",
    "a b",
    "-",
    "",
    "\u0000",
  ),
  fc.constantFrom("exec=false", "provider=none", "x".repeat(3000), `${NET}.0.1`, "127.0.0.1:0"),
);

/** Values of a JSON schema: most fit, some are of another type. */
function shapedAs(schema: Json, all: Json, depth = 0): fc.Arbitrary<unknown> {
  const wrong = fc.oneof(fc.jsonValue({ maxDepth: 2 }), ODD, fc.constantFrom(2 ** 70, -1, 0.5));
  return fc.oneof(
    { weight: 12, arbitrary: fitting(schema, all, depth) },
    { weight: 1, arbitrary: wrong },
  );
}

function fitting(schema: Json, all: Json, depth: number): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return fitting(all[schema.$ref.split("/").at(-1)], all, depth);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) {
    return fc.oneof(...choices.map((one: Json) => fitting(one, all, depth)));
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object":
      return objectOf(schema, all, depth);
    case "array":
      return fc.array(shapedAs(schema.items ?? {}, all, depth + 1), { maxLength: 3 });
    case "integer":
      return fc.oneof(fc.nat(), fc.integer(), fc.constantFrom(0, 1, 2 ** 31, 2 ** 53, 3600e9));
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return fc.oneof(ANY_TEXT, fc.constantFrom("1h", "10s", "a", 'node { policy = "read" }'));
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function objectOf(schema: Json, all: Json, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.entries<Json>(schema.properties ?? {}).map(([name, one]) => {
    return [name, depth > 4 ? fc.constant(null) : shapedAs(one, all, depth + 1)] as const;
  });
  const known = fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  return fc
    .tuple(known, fc.dictionary(ANY_TEXT, fc.jsonValue(), { maxKeys: 1 }))
    .map(([one, more]) => {
      return { ...one, ...more };
    });
}

/** Bodies that are no JSON, or too much of it. */
const NO_BODY = fc.constantFrom(
  ...[
    "",
    " ",
    "{",
    "[1",
    "nul",
    "\u0000",
    "\ufeff{}",
    "NaN",
    '{"a":1e999}',
    '{"__proto__":{"a":1}}',
  ],
  ...[
    "[".repeat(50_000),
    '{"a":'.repeat(20_000),
    `"${"x".repeat(900_000)}"`,
    "x".repeat(1_100_000),
  ],
  `{"Name":"${"x".repeat(500_000)}"}`,
);

function bodyOf({ declared }: Operation, all: Json): fc.Arbitrary<string | undefined> {
  const content = declared.requestBody?.content ?? {};
  const schema = content["application/json"]?.schema;
  const odd = fc.oneof(
    NO_BODY,
    fc.jsonValue().map((value) => JSON.stringify(value)),
    ANY_TEXT,
  );
  if (schema === undefined) return fc.option(odd, { nil: undefined, freq: 2 });
  const fits = shapedAs(schema, all).map((value) => JSON.stringify(value));
  return fc.oneof({ weight: 4, arbitrary: fits }, { weight: 1, arbitrary: odd });
}

/** What a parameter of this name may be, besides odd. */
function parameterOf(name: string, known: readonly string[]): fc.Arbitrary<string> {
  if (name === "address") return NOBODY;
  const usual = fc.constantFrom(
    "true",
    "false",
    "1",
    "0",
    "20ms",
    "x",
    "global",
    "default",
    ...known,
  );
  return fc.oneof(usual, ANY_TEXT);
}

const HEADERS = fc.dictionary(
  fc.constantFrom(
    "X-Nomad-Token",
    "Authorization",
    "Accept-Encoding",
    "Content-Type",
    "Accept",
    "X-A",
  ),
  fc.oneof(
    fc.constantFrom("gzip", "gzip;q=0", "*", "Bearer x", "Basic eDp5", "application/json", ""),
    fc.constantFrom("text/html", "multipart/form-data", "x".repeat(3000), "11111111", "a,b;c"),
  ),
  { maxKeys: 2 },
);

/** @param known ids and names of things that are there */
export function requestsOf(
  operation: Operation,
  all: Json,
  known: readonly string[],
): fc.Arbitrary<FuzzRequest> {
  const parameters: readonly Json[] = operation.declared.parameters ?? [];
  const inPath = parameters.filter((one) => one.in === "path").map(({ name }) => name);
  const inQuery = parameters.filter((one) => one.in === "query").map(({ name }) => name);
  const names = fc.subarray([...inQuery, "pretty", "nonsense"]);
  const query = names.chain((chosen) =>
    fc.tuple(...chosen.map((name) => parameterOf(name, known).map((value) => [name, value]))),
  );
  const path = fc.tuple(...inPath.map((name) => parameterOf(name, known)));
  const method = fc.oneof(
    { weight: 8, arbitrary: fc.constant(operation.method) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"),
    },
  );
  return fc
    .record({ method, path, query, headers: HEADERS, body: bodyOf(operation, all) })
    .map((made) => {
      const values = [...made.path];
      const where = operation.path.replaceAll(/\{\w+\}/g, () => encode(values.shift() ?? ""));
      const { method, headers, body } = made;
      return { method, target: where + queryOf(made.query), headers, body };
    });
}

/** Nobody waits longer than the limit of this test. */
function queryOf(pairs: readonly (readonly string[])[]): string {
  const waits = pairs.some(([name]) => name === "index") ? [["wait", "20ms"]] : [];
  const kept = pairs.filter(([name]) => waits.length === 0 || name !== "wait");
  const all = [...kept, ...waits].map(([name = "", value = ""]) => `${name}=${encode(value)}`);
  return all.length === 0 ? "" : `?${all.join("&")}`;
}

/** Half of a pair of surrogates cannot be sent. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
