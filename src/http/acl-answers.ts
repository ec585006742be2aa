/** The endpoints that are about ACLs. */
import type { Elysia } from "elysia";
import {
  bootstrapAcls,
  deletePolicy,
  deleteRole,
  deleteToken,
  getPolicy,
  getRole,
  getRoleByName,
  getToken,
  listPolicies,
  listRoles,
  listTokens,
  ownToken,
  writePolicy,
  writeRole,
  writeToken,
} from "../api/acl.ts";
import type { ApiContext } from "../api/context.ts";
import type { IndexedAnswer } from "../api/nodes.ts";
import { answer, type ContextOf, queryOf } from "./answers.ts";

interface Asked {
  readonly context: ApiContext;
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly signal: AbortSignal;
}

type Run = (asked: Asked) => Promise<IndexedAnswer>;

const READERS: Readonly<Record<string, Run>> = {
  tokens: ({ context, query, signal }) => listTokens(context, query, signal),
  "token/self": ({ context, query, signal }) => ownToken(context, query, signal),
  "token/:id": ({ context, id, query, signal }) => getToken(context, id, query, signal),
  policies: ({ context, query, signal }) => listPolicies(context, query, signal),
  "policy/self": ({ context, query, signal }) => listPolicies(context, query, signal),
  "policy/:id": ({ context, id, query, signal }) => getPolicy(context, id, query, signal),
  roles: ({ context, query, signal }) => listRoles(context, query, signal),
  "role/name/:id": ({ context, id, query, signal }) => getRoleByName(context, id, query, signal),
  "role/:id": ({ context, id, query, signal }) => getRole(context, id, query, signal),
};

const WRITERS: Readonly<Record<string, Run>> = {
  bootstrap: ({ context, query, body }) => bootstrapAcls(context, query, body),
  token: ({ context, query, body }) => writeToken(context, "", query, body),
  "token/:id": ({ context, id, query, body }) => writeToken(context, id, query, body),
  "policy/:id": ({ context, id, query, body }) => writePolicy(context, id, query, body),
  role: ({ context, query, body }) => writeRole(context, "", query, body),
  "role/:id": ({ context, id, query, body }) => writeRole(context, id, query, body),
};

const ENDERS: Readonly<Record<string, Run>> = {
  "token/:id": ({ context, id, query }) => deleteToken(context, id, query),
  "policy/:id": ({ context, id, query }) => deletePolicy(context, id, query),
  "role/:id": ({ context, id, query }) => deleteRole(context, id, query),
};

export function addAcls(app: Elysia, contextOf: ContextOf): void {
  const handler = (run: Run) => {
    return async (asked: { request: Request; params?: { id?: string } }): Promise<Response> => {
      const { request, params } = asked;
      const body = request.method === "GET" ? "" : await request.text();
      const { signal } = request;
      const of = { context: contextOf(request), id: params?.id ?? "", query: queryOf(request) };
      const { value, headers } = await run({ ...of, body, signal });
      const response = answer(request, value);
      for (const [name, text] of Object.entries(headers)) response.headers.set(name, text);
      return response;
    };
  };
  for (const [path, run] of Object.entries(READERS)) app.get(`/v1/acl/${path}`, handler(run));
  for (const [path, run] of Object.entries(WRITERS)) {
    const write = handler(run);
    app.put(`/v1/acl/${path}`, write, { parse: "none" });
    app.post(`/v1/acl/${path}`, write, { parse: "none" });
  }
  for (const [path, run] of Object.entries(ENDERS)) app.delete(`/v1/acl/${path}`, handler(run));
}
