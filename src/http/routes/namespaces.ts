/** /v1/namespaces and /v1/namespace. */
import { t } from "elysia";
import {
  deleteNamespace,
  getNamespace,
  listNamespaces,
  putNamespace,
} from "../../api/namespaces.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import { listing, reading, region } from "../parameters.ts";

const READ = { needs: "token", from: "region", blocks: true, indexed: true } as const;
const CHANGE = { needs: "management", from: "leader", indexed: true } as const;

export function namespaceRoutes(app: Base) {
  return app
    .get(
      PATHS.namespaces,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listNamespaces(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: { ...READ, summary: "The namespaces", answers: "NamespaceList" },
      },
    )
    .put(
      PATHS.namespaceAny,
      async ({ api, query, body, set }) =>
        indexed(set, await putNamespace(api, undefined, query, body)),
      {
        ...TEXT_BODY,
        query: t.Object(region),
        endpoint: {
          ...CHANGE,
          summary: "Makes a namespace, or changes it",
          takes: "NamespaceRequest",
        },
      },
    )
    .get(
      PATHS.namespace,
      async ({ api, params: { name }, query, request: { signal }, set }) =>
        indexed(set, await getNamespace(api, name, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...READ, summary: "A namespace", answers: "Namespace" },
      },
    )
    .put(
      PATHS.namespace,
      async ({ api, params: { name }, query, body, set }) =>
        indexed(set, await putNamespace(api, name, query, body)),
      {
        ...TEXT_BODY,
        query: t.Object(region),
        endpoint: {
          ...CHANGE,
          summary: "Makes this namespace, or changes it",
          takes: "NamespaceRequest",
        },
      },
    )
    .delete(
      PATHS.namespace,
      async ({ api, params: { name }, query, set }) =>
        indexed(set, await deleteNamespace(api, name, query)),
      {
        ...NO_BODY,
        query: t.Object(region),
        endpoint: { ...CHANGE, summary: "Deletes a namespace" },
      },
    );
}
