/** Endpoints whose answers, or requests, are not just JSON. */
import type { Elysia } from "elysia";
import { askedOf } from "../api/ask.ts";
import { autopilotHealth } from "../api/autopilot.ts";
import { eventStream } from "../api/events.ts";
import { metricsAsJson, metricsAsText } from "../api/metrics-answer.ts";
import { monitorLog } from "../api/monitor.ts";
import { restoreArchive, saveArchive } from "../api/snapshot.ts";
import { errorText } from "../host/error-text.ts";
import { SNAPSHOT_PATH } from "./access.ts";
import { addAcls } from "./acl-answers.ts";
import { answer, type ContextOf, invalidMethod, queryOf } from "./answers.ts";
import { addNodes } from "./node-answers.ts";
import { addSearch } from "./search-answers.ts";

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
    const format = queryOf(request).get("format");
    if (format !== "prometheus") return answer(request, await metricsAsJson(context));
    const type = "text/plain; version=0.0.4; charset=utf-8";
    return new Response(await metricsAsText(context), { headers: { "Content-Type": type } });
  });
  app.get("/v1/agent/monitor", async ({ request }) => {
    const { plain, body } = await monitorLog(contextOf(request), queryOf(request));
    const type = plain ? "text/plain" : "application/json";
    // The server sends it as it comes, and so does a proxy that knows this header.
    return new Response(body, { headers: { "Content-Type": type, "X-Accel-Buffering": "no" } });
  });
  app.get("/v1/event/stream", async ({ request }) => {
    const body = await eventStream(contextOf(request), queryOf(request));
    const type = "application/json";
    const headers = { "Content-Type": type, "Cache-Control": "no-cache" };
    return new Response(body, { headers: { ...headers, "X-Accel-Buffering": "no" } });
  });
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    app.route(method, "/v1/metrics", invalidMethod);
    app.route(method, "/v1/operator/autopilot/health", invalidMethod);
    app.route(method, "/v1/agent/monitor", invalidMethod);
  }
  // Whoever draws buttons asks first which of them would be refused, and why.
  app.get("/v1/agent/permissions", ({ request }) => {
    const why = refusalBy(allow, request);
    return answer(request, { Refused: why === "" ? {} : { "*": why } });
  });
  addAcls(app, contextOf);
  addNodes(app, contextOf, allow);
  addSearch(app, contextOf, allow);
  addSnapshot(app, contextOf, allow);
}

function refusalBy(allow: (request: Request) => void, request: Request): string {
  try {
    allow(request);
    return "";
  } catch (error) {
    return errorText(error);
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
