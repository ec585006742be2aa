/** Endpoints whose answers, or requests, are not just JSON. */
import type { Elysia } from "elysia";
import { askedOf } from "../api/ask.ts";
import { autopilotHealth } from "../api/autopilot.ts";
import type { ApiContext } from "../api/context.ts";
import { askElsewhere } from "../api/elsewhere.ts";
import { collectMetrics, metricsAsJson, metricsAsText } from "../api/metrics.ts";
import { monitorLog } from "../api/monitor.ts";
import { getNode, type IndexedAnswer, listNodes, purgeNode } from "../api/nodes.ts";
import { restoreArchive, saveArchive } from "../api/snapshot.ts";
import { SNAPSHOT_PATH } from "./access.ts";
import { answer, invalidMethod, notFound, queryOf } from "./answers.ts";

interface NodeRequest {
  readonly request: Request;
  readonly params: { readonly id: string };
}

/** What a request is answered with: what is asked of others carries its token. */
export type ContextOf = (request: Request) => ApiContext;

/** @param allow throws when the request may not change or take secrets */
export function addOwnAnswers(
  app: Elysia,
  contextOf: ContextOf,
  allow: (request: Request) => void,
): void {
  app.get("/v1/operator/autopilot/health", async ({ request }) => {
    const context = contextOf(request);
    const health = await autopilotHealth(context, askedOf(context, queryOf(request)));
    // What asks for the code only must see that something is wrong.
    return answer(request, health, health["Healthy"] === true ? 200 : 429);
  });
  app.get("/v1/metrics", async ({ request }) => {
    const context = contextOf(request);
    const metrics = await collectMetrics(context);
    const format = queryOf(request).get("format");
    if (format !== "prometheus") return answer(request, metricsAsJson(metrics, context.nowMs()));
    const type = "text/plain; version=0.0.4; charset=utf-8";
    return new Response(metricsAsText(context, metrics), { headers: { "Content-Type": type } });
  });
  app.get("/v1/agent/monitor", async ({ request }) => {
    const { plain, body } = await monitorLog(contextOf(request), queryOf(request));
    const type = plain ? "text/plain" : "application/json";
    // The server sends it as it comes, and so does a proxy that knows this header.
    return new Response(body, { headers: { "Content-Type": type, "X-Accel-Buffering": "no" } });
  });
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    app.route(method, "/v1/metrics", invalidMethod);
    app.route(method, "/v1/operator/autopilot/health", invalidMethod);
    app.route(method, "/v1/agent/monitor", invalidMethod);
    app.route(method, "/v1/nodes", invalidMethod);
  }
  addNodes(app, contextOf, allow);
  addSnapshot(app, contextOf, allow);
}

function addNodes(app: Elysia, contextOf: ContextOf, allow: (request: Request) => void): void {
  const indexed = (request: Request, { value, headers }: IndexedAnswer): Response => {
    const response = answer(request, value);
    for (const [name, text] of Object.entries(headers)) response.headers.set(name, text);
    return response;
  };
  app.get("/v1/nodes", async ({ request }) => {
    return indexed(request, await listNodes(contextOf(request), queryOf(request), request.signal));
  });
  app.get("/v1/node/:id", async ({ request, params }) => {
    const { signal } = request;
    return indexed(request, await getNode(contextOf(request), params.id, queryOf(request), signal));
  });
  const purge = async ({ request, params }: NodeRequest): Promise<Response> => {
    allow(request);
    return answer(request, await purgeNode(contextOf(request), params.id, queryOf(request)));
  };
  app.put("/v1/node/:id/purge", purge).post("/v1/node/:id/purge", purge);
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    app.route(method, "/v1/node/:id", invalidMethod);
  }
  for (const method of ["GET", "DELETE", "PATCH"]) {
    app.route(method, "/v1/node/:id/purge", invalidMethod);
  }
  // What we have not, another region may have. The first two are no ids of nodes.
  for (const path of ["/v1/node/pools", "/v1/node/pool", "/v1/*"]) {
    app.get(path, async ({ request }) => {
      return indexed(request, await askElsewhere(contextOf(request), new URL(request.url)));
    });
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    for (const path of ["/v1/node/pools", "/v1/node/pool"]) app.route(method, path, notFound);
  }
}

/** It holds secrets of the clients, and replaces the state of all servers. */
function addSnapshot(app: Elysia, contextOf: ContextOf, allow: (request: Request) => void): void {
  app.get(SNAPSHOT_PATH, async ({ request }) => {
    allow(request);
    const context = contextOf(request);
    const asked = askedOf(context, queryOf(request));
    const { archive, digest } = await saveArchive(context, asked);
    const headers = { "Content-Type": "application/x-gzip", Digest: digest };
    return new Response(new Uint8Array(archive), { headers });
  });
  const restore = async ({ request }: { request: Request }): Promise<Response> => {
    allow(request);
    const context = contextOf(request);
    const asked = askedOf(context, queryOf(request));
    const archive = new Uint8Array(await request.arrayBuffer());
    return answer(request, await restoreArchive(context, asked, archive));
  };
  // As it came: nothing may read it as a form or as JSON first.
  app
    .put(SNAPSHOT_PATH, restore, { parse: "none" })
    .post(SNAPSHOT_PATH, restore, { parse: "none" });
  for (const method of ["DELETE", "PATCH"]) app.route(method, SNAPSHOT_PATH, invalidMethod);
}
