/** /v1/node/pools and /v1/node/pool: the pools that client nodes are in. */
import { t } from "elysia";
import {
  deleteNodePool,
  getNodePool,
  listNodePools,
  listPoolNodes,
  upsertNodePool,
} from "../../api/node-pools.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import { listing, nodeListing, reading, region } from "../parameters.ts";

const LIST = { from: "region", blocks: true, indexed: true } as const;

export function poolRoutes(app: Base) {
  return app
    .get(
      PATHS.nodePools,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listNodePools(api, query, signal)),
      {
        query: t.Object(listing),
        endpoint: {
          ...LIST,
          summary: "The node pools",
          needs: "token",
          answers: "NodePoolList",
        },
      },
    )
    .get(
      PATHS.nodePool,
      async ({ api, params: { name }, query, request: { signal }, set }) =>
        indexed(set, await getNodePool(api, name, query, signal)),
      {
        query: t.Object(reading),
        endpoint: {
          ...LIST,
          summary: "A node pool",
          needs: "node_pool:read",
          answers: "NodePool",
        },
      },
    )
    .get(
      PATHS.nodePoolNodes,
      async ({ api, params: { name }, query, request: { signal }, set }) =>
        indexed(set, await listPoolNodes(api, name, query, signal)),
      {
        query: t.Object(nodeListing),
        endpoint: {
          ...LIST,
          summary: "The client nodes of a pool",
          needs: "node:read",
          answers: "NodeList",
        },
      },
    )
    .use(poolChangeRoutes);
}

const POOL_CHANGE = {
  needs: "node_pool:write",
  from: "leader",
  indexed: true,
  takes: "NodePoolRequest",
} as const;

function poolChangeRoutes(app: Base) {
  return app
    .put(
      PATHS.nodePools,
      async ({ api, query, body, set }) =>
        indexed(set, await upsertNodePool(api, undefined, query, body)),
      {
        ...TEXT_BODY,
        query: t.Object(region),
        endpoint: { ...POOL_CHANGE, summary: "Makes a node pool, or changes it" },
      },
    )
    .put(
      PATHS.nodePool,
      async ({ api, params: { name }, query, body, set }) =>
        indexed(set, await upsertNodePool(api, name, query, body)),
      {
        ...TEXT_BODY,
        query: t.Object(region),
        endpoint: { ...POOL_CHANGE, summary: "Makes this node pool, or changes it" },
      },
    )
    .delete(
      PATHS.nodePool,
      async ({ api, params: { name }, query, set }) =>
        indexed(set, await deleteNodePool(api, name, query)),
      {
        ...NO_BODY,
        query: t.Object(region),
        endpoint: {
          indexed: true,
          summary: "Deletes a node pool that has no nodes",
          needs: "node_pool:delete",
          from: "leader",
        },
      },
    );
}
