/** /v1/acl: tokens, policies and roles. A token decides here, whatever the connection proves. */
import { t } from "elysia";
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
} from "../../api/acl.ts";
import { ApiError } from "../../api/errors.ts";
import { PATHS } from "../../paths.ts";
import { ABSENT } from "../../service/methods/acl-absent.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import { listing, reading, region } from "../parameters.ts";

const READ = { from: "region", blocks: true, indexed: true } as const;
const NOT_HERE = { needs: "anonymous", from: "agent", guarded: false } as const;
const CHANGE = { needs: "management", from: "leader", indexed: true, guarded: false } as const;

const WRITE = { ...TEXT_BODY, query: t.Object(region) };
const DELETE = { ...NO_BODY, query: t.Object(region) };

/** Ways to a token that Nomad has, and this agent has not. */
const NOT_THERE = [
  ["GET", "/v1/acl/auth-methods"],
  ["PUT", "/v1/acl/auth-method"],
  ["GET", "/v1/acl/auth-method/:name"],
  ["PUT", "/v1/acl/auth-method/:name"],
  ["DELETE", "/v1/acl/auth-method/:name"],
  ["GET", "/v1/acl/binding-rules"],
  ["PUT", "/v1/acl/binding-rule"],
  ["GET", "/v1/acl/binding-rule/:id"],
  ["PUT", "/v1/acl/binding-rule/:id"],
  ["DELETE", "/v1/acl/binding-rule/:id"],
  ["PUT", "/v1/acl/login"],
  ["PUT", "/v1/acl/oidc/auth-url"],
  ["PUT", "/v1/acl/oidc/complete-auth"],
  ["PUT", "/v1/acl/token/onetime"],
  ["PUT", "/v1/acl/token/onetime/exchange"],
] as const;

function absent(): never {
  throw new ApiError(501, ABSENT);
}

export function aclRoutes(app: Base) {
  for (const [method, path] of NOT_THERE) {
    app.route(method, path, absent, {
      ...NO_BODY,
      endpoint: { ...NOT_HERE, summary: "A way to a token that is not here" },
    });
  }
  return app
    .use(tokenRoutes)
    .use(policyRoutes)
    .use(roleRoutes)
    .put(
      PATHS.aclBootstrap,
      async ({ api, query, body, set }) => indexed(set, await bootstrapAcls(api, query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          needs: "anonymous",
          summary: "The first management token, once",
          takes: "AclBootstrap",
          answers: "AclToken",
        },
      },
    );
}

function tokenRoutes(app: Base) {
  return app
    .get(
      PATHS.aclTokens,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listTokens(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: {
          ...READ,
          summary: "The tokens, without their secrets",
          needs: "management",
          answers: "AclTokenList",
        },
      },
    )
    .get(
      PATHS.aclTokenSelf,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await ownToken(api, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "The caller's token", needs: "token", answers: "AclToken" },
      },
    )
    .get(
      PATHS.aclToken,
      async ({ api, params: { id }, query, request: { signal }, set }) =>
        indexed(set, await getToken(api, id, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "A token", needs: "token", answers: "AclToken" },
      },
    )
    .use(tokenChangeRoutes);
}

function tokenChangeRoutes(app: Base) {
  return app
    .put(
      PATHS.aclTokenNew,
      async ({ api, query, body, set }) => indexed(set, await writeToken(api, "", query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          summary: "Makes a token",
          takes: "AclTokenRequest",
          answers: "AclToken",
        },
      },
    )
    .put(
      PATHS.aclToken,
      async ({ api, params: { id }, query, body, set }) =>
        indexed(set, await writeToken(api, id, query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          summary: "Changes a token",
          takes: "AclTokenRequest",
          answers: "AclToken",
        },
      },
    )
    .delete(
      PATHS.aclToken,
      async ({ api, params: { id }, query, set }) =>
        indexed(set, await deleteToken(api, id, query)),
      {
        ...DELETE,
        endpoint: { ...CHANGE, summary: "Deletes a token" },
      },
    );
}

function policyRoutes(app: Base) {
  return app
    .get(
      PATHS.aclPolicies,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listPolicies(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: { ...READ, summary: "The policies", needs: "token", answers: "AclPolicyList" },
      },
    )
    .get(
      PATHS.aclPolicySelf,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listPolicies(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: {
          ...READ,
          summary: "The policies of the caller's token",
          needs: "token",
          answers: "AclPolicyList",
        },
      },
    )
    .get(
      PATHS.aclPolicy,
      async ({ api, params: { name }, query, request: { signal }, set }) =>
        indexed(set, await getPolicy(api, name, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "A policy", needs: "token", answers: "AclPolicy" },
      },
    )
    .put(
      PATHS.aclPolicy,
      async ({ api, params: { name }, query, body, set }) =>
        indexed(set, await writePolicy(api, name, query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          summary: "Makes a policy, or changes it",
          takes: "AclPolicyRequest",
        },
      },
    )
    .delete(
      PATHS.aclPolicy,
      async ({ api, params: { name }, query, set }) =>
        indexed(set, await deletePolicy(api, name, query)),
      {
        ...DELETE,
        endpoint: { ...CHANGE, summary: "Deletes a policy" },
      },
    );
}

function roleRoutes(app: Base) {
  return app
    .get(
      PATHS.aclRoles,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listRoles(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: { ...READ, summary: "The roles", needs: "token", answers: "AclRoleList" },
      },
    )
    .get(
      PATHS.aclRoleByName,
      async ({ api, params: { name }, query, request: { signal }, set }) =>
        indexed(set, await getRoleByName(api, name, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "A role, by its name", needs: "token", answers: "AclRole" },
      },
    )
    .get(
      PATHS.aclRole,
      async ({ api, params: { id }, query, request: { signal }, set }) =>
        indexed(set, await getRole(api, id, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "A role", needs: "token", answers: "AclRole" },
      },
    )
    .use(roleChangeRoutes);
}

function roleChangeRoutes(app: Base) {
  return app
    .put(
      PATHS.aclRoleNew,
      async ({ api, query, body, set }) => indexed(set, await writeRole(api, "", query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          summary: "Makes a role",
          takes: "AclRoleRequest",
          answers: "AclRole",
        },
      },
    )
    .put(
      PATHS.aclRole,
      async ({ api, params: { id }, query, body, set }) =>
        indexed(set, await writeRole(api, id, query, body)),
      {
        ...WRITE,
        endpoint: {
          ...CHANGE,
          summary: "Changes a role",
          takes: "AclRoleRequest",
          answers: "AclRole",
        },
      },
    )
    .delete(
      PATHS.aclRole,
      async ({ api, params: { id }, query, set }) => indexed(set, await deleteRole(api, id, query)),
      {
        ...DELETE,
        endpoint: { ...CHANGE, summary: "Deletes a role" },
      },
    );
}
