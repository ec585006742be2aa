/** What the table says of a request's body, and what is read of it, agree. */
import { describe, expect, test } from "bun:test";
import type { TSchema } from "elysia";
import fc from "fast-check";
import { type Declared, twinsOf } from "../../src/http/endpoint.ts";
import { SCHEMAS } from "../../src/http/schemas/all.ts";
import { TABLE } from "../answers.ts";
import { bench, LOCAL } from "./bench.ts";

const REACHED = "the servers were asked";
/** What has to be as it is in the path: not a question of form. */
const NAMED = ["AccessorID", "ID", "Name", "NodeID"];

const { app } = bench(LOCAL, true, () => Promise.reject(new Error(REACHED)));

interface Taking {
  readonly endpoint: Declared;
  readonly schema: TSchema;
}

const TAKING: readonly Taking[] = TABLE.flatMap((endpoint) => {
  const { takes } = endpoint;
  if (takes === undefined || takes === "application/x-gzip") return [];
  return [{ endpoint, schema: SCHEMAS[takes] }];
});

async function send({ endpoint }: Taking, body: unknown) {
  const path = endpoint.path.replaceAll(/:\w+/g, "x").replace("*", "x");
  const method = endpoint.method === "GET" ? (twinsOf(endpoint, "GET")[0] ?? "") : endpoint.method;
  const headers = { host: "127.0.0.1:4646" };
  const init = { method, headers, body: JSON.stringify(body) };
  const response = await app.handle(new Request(`http://localhost${path}`, init));
  return { status: response.status, text: await response.text() };
}

/** With the names of the path, where it has such fields. */
function named(schema: TSchema, body: unknown): unknown {
  const known = NAMED.filter((name) => Object.hasOwn(schema["properties"] ?? {}, name));
  return Object.assign({}, body, Object.fromEntries(known.map((name) => [name, "x"])));
}

/** All that fits. */
function fitting(schema: TSchema): fc.Arbitrary<unknown> {
  const { minItems = 0 } = schema;
  const { anyOf, const: only, items, patternProperties, properties, type, required } = schema;
  if (only !== undefined) return fc.constant(only);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(fitting));
  if (patternProperties !== undefined) {
    const [values] = Object.values<TSchema>(patternProperties);
    return fc.dictionary(fc.string(), values === undefined ? fc.constant(null) : fitting(values));
  }
  if (properties !== undefined) {
    const fields = Object.entries<TSchema>(properties).map(([name, one]) => [name, fitting(one)]);
    return fc.record(Object.fromEntries(fields), { requiredKeys: required ?? [] });
  }
  if (type === "array") return fc.array(fitting(items), { minLength: minItems, maxLength: 3 });
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "number") {
    const { minimum = -(2 ** 31), maximum = Number.MAX_SAFE_INTEGER } = schema;
    return fc.integer({ min: minimum, max: maximum });
  }
  return type === "string" ? fittingText(schema) : fc.jsonValue();
}

function fittingText({ format, minLength = 0, pattern }: TSchema): fc.Arbitrary<string> {
  // So short that no duration is too long.
  if (pattern !== undefined) {
    return fc.stringMatching(new RegExp(pattern)).filter((one) => !/\d{7}\D/.test(one));
  }
  const times = { noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") };
  if (format === "date-time") return fc.date(times).map((one) => one.toISOString());
  return fc.string({ minLength });
}

const OF_TYPES: readonly (readonly [string, unknown])[] = [
  ["array", []],
  ["boolean", true],
  ["number", 7],
  ["object", {}],
  ["string", "x"],
];

/** Bodies, or parts of one, with one thing in them that is of another type. */
function wrong(schema: TSchema): readonly unknown[] {
  const forms: readonly TSchema[] = schema["anyOf"] ?? [schema];
  const types = forms.map(({ type }) => type);
  if (types.includes(undefined)) return [];
  const whole = OF_TYPES.flatMap(([type, value]) => (types.includes(type) ? [] : [value]));
  return [...whole, ...forms.flatMap(wrongInside)];
}

function wrongInside({ items, patternProperties = {}, properties = {} }: TSchema): unknown[] {
  return [
    ...(items === undefined ? [] : wrong(items).map((one) => [one])),
    ...Object.values<TSchema>(patternProperties).flatMap((one) => {
      return wrong(one).map((value) => ({ k: value }));
    }),
    ...Object.entries<TSchema>(properties).flatMap(([name, one]) => {
      return wrong(one).map((value) => ({ [name]: value }));
    }),
  ];
}

describe("a body of an endpoint", () => {
  test("that is as the document says is never refused for its form", async () => {
    for (const taking of TAKING) {
      const bodies = fc.sample(fitting(taking.schema), { numRuns: 30, seed: 1 });
      for (const one of bodies) {
        const body = named(taking.schema, one);
        const { status, text } = await send(taking, body);
        expect([taking.endpoint.path, body, status, text]).not.toEqual([
          ...[taking.endpoint.path, body, 400, text],
        ]);
      }
    }
  });

  test("with a thing of another type in it is refused, and which one is said", async () => {
    for (const taking of TAKING) {
      const bodies = wrong(taking.schema);
      expect(bodies.length).toBeGreaterThan(4);
      for (const one of bodies) {
        const isObject = typeof one === "object" && !Array.isArray(one);
        const body = isObject ? Object.assign(Object(named(taking.schema, {})), one) : one;
        const { status, text } = await send(taking, body);
        const what = [taking.endpoint.path, body, text];
        expect([...what, status]).toEqual([...what, 400]);
        expect([...what, text]).toEqual([...what, expect.stringMatching(/must be|JSON object/)]);
      }
    }
  });
});
