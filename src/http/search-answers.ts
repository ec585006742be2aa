/** The endpoints for searching, and for namespaces. */
import type { Elysia } from "elysia";
import { deleteNamespace, getNamespace, listNamespaces, putNamespace } from "../api/namespaces.ts";
import type { IndexedAnswer } from "../api/nodes.ts";
import { fuzzySearch, search } from "../api/search.ts";
import { answer, type ContextOf, invalidMethod, queryOf } from "./answers.ts";

interface Asked {
  readonly request: Request;
  /** Not there where the path has none. */
  readonly params?: { readonly name?: string };
}

const RAW = { parse: "none" } as const;
const [LIST, ONE, ANY] = ["/v1/namespaces", "/v1/namespace", "/v1/namespace/:name"] as const;

/** @param allow throws when the request may not change or take secrets */
export function addSearch(
  app: Elysia,
  contextOf: ContextOf,
  allow: (request: Request) => void,
): void {
  for (const [path, find] of [
    ["/v1/search", search],
    ["/v1/search/fuzzy", fuzzySearch],
  ] as const) {
    const handler = async ({ request }: Asked): Promise<Response> => {
      const body = await request.text();
      const { signal } = request;
      return indexed(request, await find(contextOf(request), queryOf(request), body, signal));
    };
    app.put(path, handler, RAW).post(path, handler, RAW);
    for (const method of ["GET", "DELETE", "PATCH"]) app.route(method, path, invalidMethod);
  }
  app.get(LIST, async ({ request }) => {
    const { signal } = request;
    return indexed(request, await listNamespaces(contextOf(request), queryOf(request), signal));
  });
  app.get(ANY, async ({ request, params }) => {
    const { signal } = request;
    const context = contextOf(request);
    return indexed(request, await getNamespace(context, params.name, queryOf(request), signal));
  });
  app.delete(ANY, async ({ request, params }) => {
    allow(request);
    return indexed(
      request,
      await deleteNamespace(contextOf(request), params.name, queryOf(request)),
    );
  });
  const put = async ({ request, params }: Asked): Promise<Response> => {
    allow(request);
    const body = await request.text();
    const context = contextOf(request);
    return indexed(request, await putNamespace(context, params?.name, queryOf(request), body));
  };
  for (const path of [ONE, ANY]) app.put(path, put, RAW).post(path, put, RAW);
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) app.route(method, LIST, invalidMethod);
  for (const method of ["GET", "DELETE", "PATCH"]) app.route(method, ONE, invalidMethod);
  app.route("PATCH", ANY, invalidMethod);
}

function indexed(request: Request, { value, headers }: IndexedAnswer): Response {
  const response = answer(request, value);
  for (const [name, text] of Object.entries(headers)) response.headers.set(name, text);
  return response;
}
