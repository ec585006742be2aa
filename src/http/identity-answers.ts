/** The endpoints that are about identities: keys, tokens for new nodes, and who checks them. */
import type { Elysia } from "elysia";
import {
  createIntroduction,
  deleteSigningKey,
  listSigningKeys,
  openIdConfiguration,
  publicKeys,
  renewIdentity,
  rotateSigningKey,
} from "../api/identities.ts";
import { answer, type ContextOf, invalidMethod, queryOf } from "./answers.ts";
import { indexed } from "./node-answers.ts";

const KEYRING = "/v1/operator/keyring";
const INTRODUCTION = "/v1/acl/identity/client-introduction-token";
const RENEWAL = "/v1/client/identity/renew";

/** @param allow throws when the request may not change or take secrets */
export function addIdentities(
  app: Elysia,
  contextOf: ContextOf,
  allow: (request: Request) => void,
): void {
  const readers = { "/.well-known/jwks.json": publicKeys, [`${KEYRING}/keys`]: listSigningKeys };
  for (const [path, read] of Object.entries(readers)) {
    app.get(path, async ({ request }) => {
      const { signal } = request;
      return indexed(request, await read(contextOf(request), queryOf(request), signal));
    });
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) app.route(method, path, invalidMethod);
  }
  app.get("/.well-known/openid-configuration", openIdConfiguration);
  const changers = {
    [INTRODUCTION]: createIntroduction,
    [RENEWAL]: renewIdentity,
    [`${KEYRING}/rotate`]: rotateSigningKey,
  };
  for (const [path, change] of Object.entries(changers)) {
    const handler = async ({ request }: { request: Request }): Promise<Response> => {
      allow(request);
      const body = await request.text();
      return answer(request, await change(contextOf(request), queryOf(request), body));
    };
    app.put(path, handler, { parse: "none" }).post(path, handler, { parse: "none" });
    for (const method of ["GET", "DELETE", "PATCH"]) app.route(method, path, invalidMethod);
  }
  app.delete(`${KEYRING}/key/:id`, async ({ request, params }) => {
    allow(request);
    const done = await deleteSigningKey(contextOf(request), params.id, queryOf(request));
    return answer(request, done);
  });
  for (const method of ["GET", "POST", "PUT", "PATCH"]) {
    app.route(method, `${KEYRING}/key/:id`, invalidMethod);
  }
}
