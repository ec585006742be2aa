/** The endpoints that are about client nodes. */
import type { Elysia } from "elysia";
import {
  applyMeta,
  clientIdentity,
  clientMeta,
  clientStats,
  knownServers,
  setKnownServers,
} from "../api/client.ts";
import type { ApiContext } from "../api/context.ts";
import { askElsewhere } from "../api/elsewhere.ts";
import { drainNode, evaluateNode, setEligibility } from "../api/node-changes.ts";
import {
  deleteNodePool,
  getNodePool,
  listNodePools,
  listPoolNodes,
  upsertNodePool,
} from "../api/node-pools.ts";
import {
  getNode,
  type IndexedAnswer,
  listNodes,
  nodeAllocations,
  purgeNode,
} from "../api/nodes.ts";
import { answer, type ContextOf, invalidMethod, notFound, queryOf } from "./answers.ts";

interface NodeRequest {
  readonly request: Request;
  /** The router cannot tell what is in a path that is put together. */
  readonly params: { readonly id?: string };
}

interface PoolRequest {
  readonly request: Request;
  /** undefined: the path has none. */
  readonly params?: { readonly name?: string };
}

type Change = (
  context: ApiContext,
  id: string,
  query: URLSearchParams,
  body: string,
) => Promise<IndexedAnswer>;

const CHANGES: Readonly<Record<string, Change>> = {
  drain: drainNode,
  eligibility: setEligibility,
  evaluate: evaluateNode,
  purge: async (context, id, query) => {
    return { value: await purgeNode(context, id, query), headers: {} };
  },
};

/** @param allow throws when the request may not change or take secrets */
export function addNodes(
  app: Elysia,
  contextOf: ContextOf,
  allow: (request: Request) => void,
): void {
  app.get("/v1/nodes", async ({ request }) => {
    return indexed(request, await listNodes(contextOf(request), queryOf(request), request.signal));
  });
  app.get("/v1/node/:id", async ({ request, params }) => {
    const { signal } = request;
    return indexed(request, await getNode(contextOf(request), params.id, queryOf(request), signal));
  });
  app.get("/v1/node/:id/allocations", async ({ request, params }) => {
    const query = queryOf(request);
    const { signal } = request;
    return indexed(request, await nodeAllocations(contextOf(request), params.id, query, signal));
  });
  for (const [name, change] of Object.entries(CHANGES)) {
    const handler = async ({ request, params }: NodeRequest): Promise<Response> => {
      allow(request);
      const context = contextOf(request);
      const body = await request.text();
      return indexed(request, await change(context, params.id ?? "", queryOf(request), body));
    };
    const path = `/v1/node/:id/${name}`;
    app.put(path, handler, { parse: "none" }).post(path, handler, { parse: "none" });
    for (const method of ["GET", "DELETE", "PATCH"]) app.route(method, path, invalidMethod);
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    for (const path of ["/v1/nodes", "/v1/node/:id", "/v1/node/:id/allocations"]) {
      app.route(method, path, invalidMethod);
    }
  }
  addPools(app, contextOf, allow);
  addClient(app, contextOf, allow);
  addElsewhere(app, contextOf);
}

/** None of these is a node's id. */
function addPools(app: Elysia, contextOf: ContextOf, allow: (request: Request) => void): void {
  const read = (request: Request) => [queryOf(request), request.signal] as const;
  app.get("/v1/node/pools", async ({ request }) => {
    return indexed(request, await listNodePools(contextOf(request), ...read(request)));
  });
  app.get("/v1/node/pool/:name", async ({ request, params }) => {
    return indexed(request, await getNodePool(contextOf(request), params.name, ...read(request)));
  });
  app.delete("/v1/node/pool/:name", async ({ request, params }) => {
    allow(request);
    return answer(request, await deleteNodePool(contextOf(request), params.name, queryOf(request)));
  });
  app.get("/v1/node/pool/:name/nodes", async ({ request, params }) => {
    return indexed(request, await listPoolNodes(contextOf(request), params.name, ...read(request)));
  });
  const upsert = async ({ request, params }: PoolRequest): Promise<Response> => {
    allow(request);
    const body = await request.text();
    const context = contextOf(request);
    return indexed(request, await upsertNodePool(context, params?.name, queryOf(request), body));
  };
  for (const path of ["/v1/node/pools", "/v1/node/pool/:name"]) {
    app.put(path, upsert, { parse: "none" }).post(path, upsert, { parse: "none" });
  }
  app.delete("/v1/node/pools", invalidMethod);
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    app.route(method, "/v1/node/pool/:name/nodes", invalidMethod);
    if (method === "PATCH") {
      for (const path of ["/v1/node/pools", "/v1/node/pool/:name"]) {
        app.route(method, path, invalidMethod);
      }
    }
    app.route(method, "/v1/node/pool", notFound);
  }
  app.get("/v1/node/pool", notFound);
}

function addClient(app: Elysia, contextOf: ContextOf, allow: (request: Request) => void): void {
  const readers = {
    "/v1/client/stats": clientStats,
    "/v1/client/metadata": clientMeta,
    "/v1/client/identity": clientIdentity,
  };
  for (const [path, read] of Object.entries(readers)) {
    app.get(path, async ({ request }) => {
      return answer(request, await read(contextOf(request), queryOf(request), request.signal));
    });
  }
  const apply = async ({ request }: { request: Request }): Promise<Response> => {
    allow(request);
    const body = await request.text();
    return answer(request, await applyMeta(contextOf(request), queryOf(request), body));
  };
  app.get("/v1/agent/servers", ({ request }) => answer(request, knownServers(contextOf(request))));
  const servers = async ({ request }: { request: Request }): Promise<Response> => {
    allow(request);
    return answer(request, await setKnownServers(contextOf(request), queryOf(request)));
  };
  app.put("/v1/agent/servers", servers).post("/v1/agent/servers", servers);
  const path = "/v1/client/metadata";
  app.put(path, apply, { parse: "none" }).post(path, apply, { parse: "none" });
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    app.route(method, "/v1/client/stats", invalidMethod);
    app.route(method, "/v1/client/identity", invalidMethod);
    if (method === "POST" || method === "PUT") continue;
    for (const changed of [path, "/v1/agent/servers"]) app.route(method, changed, invalidMethod);
  }
}

/** What we have not, another region may have. */
function addElsewhere(app: Elysia, contextOf: ContextOf): void {
  app.get("/v1/*", async ({ request }) => {
    return indexed(request, await askElsewhere(contextOf(request), new URL(request.url)));
  });
}

export function indexed(request: Request, { value, headers }: IndexedAnswer): Response {
  const response = answer(request, value);
  for (const [name, text] of Object.entries(headers)) response.headers.set(name, text);
  return response;
}
