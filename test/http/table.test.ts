/** The table of endpoints is walked: who may ask, how, and what documents say of it. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { readmeWithEndpoints } from "../../build/endpoints.ts";
import { type Declared, type Method, twinsOf } from "../../src/http/endpoint.ts";
import { PATHS, pathTo } from "../../src/paths.ts";
import { expectDeclared, TABLE } from "../answers.ts";
import { ask, bench, LOCAL, proven, REMOTE } from "./bench.ts";

const METHODS: readonly Method[] = ["GET", "PUT", "POST", "DELETE"];

/** A path that the declaration stands for. */
function exampleOf({ path }: Pick<Declared, "path">): string {
  return path.replaceAll(/:\w+/g, "x").replace("*", "x");
}

function methodsOf(endpoint: Declared): readonly Method[] {
  return [endpoint.method, ...twinsOf(endpoint, endpoint.method)];
}

/** By their paths: which methods each has. */
const byPath = Map.groupBy(TABLE, ({ path }) => path);

describe("every endpoint", () => {
  test("is declared once", () => {
    const all = TABLE.flatMap((one) => methodsOf(one).map((method) => `${method} ${one.path}`));
    expect(all.toSorted()).toEqual([...new Set(all)].toSorted());
  });

  test("has its path from the list of paths, unless nobody asks for it by name", () => {
    const declared = new Set(TABLE.map(({ path }) => path));
    expect(Object.values(PATHS).filter((path) => !declared.has(path))).toEqual([]);
  });

  test("says by 405, or as Nomad says it, which methods it has not", async () => {
    const { app } = bench(LOCAL);
    for (const [path, all] of byPath) {
      const { status = 405, text = "Invalid method" } = all[0]?.otherwise ?? {};
      const known = all.flatMap(methodsOf);
      for (const method of [...METHODS, "PATCH"]) {
        if (known.some((one) => one === method)) continue;
        const said = await ask(app, method, exampleOf({ path }));
        // What is below a wider star is that one's.
        if (path.endsWith("*") && said.status === 501) continue;
        expect([method, path, said.status, said.body]).toEqual([method, path, status, text]);
      }
    }
  });

  test("that changes something, or shows a secret, is for operators", async () => {
    const strangers = [bench(REMOTE), bench(proven("client.global.nomad"))];
    for (const endpoint of TABLE) {
      for (const method of methodsOf(endpoint)) {
        const { guarded = method !== "GET" } = endpoint;
        if (endpoint.streams === true || (!guarded && endpoint.path === PATHS.encryption)) continue;
        for (const { app, joins, leaves, asked } of strangers) {
          const { status, body } = await ask(app, method, exampleOf(endpoint));
          const what = [method, endpoint.path, body];
          if (guarded) expect([...what, status]).toEqual([...what, 403]);
          if (guarded) expect(body).toStartWith("Permission denied");
          expect([joins, leaves, asked]).toEqual([[], [], []]);
        }
      }
    }
  });

  test("that anybody may ask is not refused to a stranger", async () => {
    const { app } = bench(REMOTE);
    for (const endpoint of TABLE) {
      const { guarded = endpoint.method !== "GET", method, path } = endpoint;
      const isOwn = path === PATHS.agentHost || path === PATHS.encryption;
      if (guarded || endpoint.streams === true || isOwn) continue;
      const { status } = await ask(app, method, exampleOf(endpoint));
      expect([path, status]).not.toEqual([path, 403]);
    }
  });

  test("that is refused, is so with its status and a reason", async () => {
    const { app } = bench(LOCAL);
    for (const endpoint of TABLE) {
      if (endpoint.refuses === undefined) continue;
      const { status, body } = await ask(app, endpoint.method, exampleOf(endpoint));
      expect([endpoint.path, status]).toEqual([endpoint.path, endpoint.refuses]);
      expect(body).not.toBe("");
    }
  });

  test("with a parameter of a form says in Nomad's words when it is another", async () => {
    const { app } = bench(LOCAL);
    for (const endpoint of TABLE) {
      for (const [name, schema] of Object.entries(endpoint.query?.["properties"] ?? {})) {
        const { error } = Object(schema);
        if (error === undefined) continue;
        const { method } = endpoint;
        const said = await ask(app, method, `${exampleOf(endpoint)}?${name}=%21`);
        expect([endpoint.path, said.status, said.body]).toEqual([endpoint.path, 400, error]);
      }
    }
  });
});

describe("web pages of elsewhere", () => {
  const get = (path: string, method = "GET"): Promise<Response> => {
    const headers = { host: "127.0.0.1:4646", origin: "http://page.example" };
    return bench(LOCAL).app.handle(new Request(`http://localhost${path}`, { method, headers }));
  };
  test("may read what Nomad lets them, errors too, and nothing else", async () => {
    for (const endpoint of TABLE) {
      if (endpoint.method !== "GET" || endpoint.streams === true) continue;
      if (endpoint.path === PATHS.encryption) continue;
      const { headers } = await get(exampleOf(endpoint));
      const origin = endpoint.cors === true ? "*" : null;
      expect([endpoint.path, headers.get("access-control-allow-origin")]).toEqual([
        endpoint.path,
        origin,
      ]);
    }
  });
  test("are told so when they ask before", async () => {
    const { status, headers } = await get(PATHS.clientMetadata, "OPTIONS");
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-methods")).toBe("GET, PUT, POST");
    expect((await get(PATHS.agentSelf, "OPTIONS")).status).toBe(405);
  });
});

describe("the OpenAPI document", () => {
  test("is one of 3.1, with every endpoint and every method in it", async () => {
    const { body } = await ask(bench(REMOTE).app, "GET", PATHS.openApi);
    const document = JSON.parse(body);
    const { valid, errors } = await new Validator().validate(JSON.parse(body));
    expect([valid, errors]).toEqual([true, undefined]);
    for (const endpoint of TABLE) {
      const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}").replace("*", "{path}");
      for (const method of methodsOf(endpoint)) {
        expect(document.paths[path]?.[method.toLowerCase()]?.summary).toBe(endpoint.summary);
      }
    }
    const ids = Object.values(document.paths).flatMap((all) => {
      return Object.values(Object(all)).map((one) => Object(one).operationId);
    });
    expect(ids.length).toBe(new Set(ids).size);
  });
});

test("README.md has them all: npm run endpoints", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  expect(readmeWithEndpoints(readme)).toBe(readme);
});

test("names go into paths as they are", () => {
  expect(pathTo(PATHS.nodePoolNodes, { name: "a/b c" })).toBe("/v1/node/pool/a%2Fb%20c/nodes");
});

describe("answers that are otherwise than declared are noticed", () => {
  const seen = { method: "GET", type: "application/json", status: 200 };
  test("by their fields", () => {
    const body = '{"server":{"ok":true,"message":"ok"},"more":1}';
    expect(() => expectDeclared({ ...seen, path: PATHS.agentHealth, body })).toThrow("/more");
    expect(() => expectDeclared({ ...seen, path: PATHS.regions, body: "[1]" })).toThrow("Texts");
  });
  test("by their status", () => {
    expect(() => expectDeclared({ ...seen, status: 204, path: PATHS.regions, body: "" })).toThrow();
  });
});
