/** /v1/nodes and /v1/node: the client nodes of a region. */
import { t } from "elysia";
import { ApiError } from "../../api/errors.ts";
import { drainNode, evaluateNode, setEligibility } from "../../api/node-changes.ts";
import { getNode, listNodes, nodeAllocations, purgeNode } from "../../api/nodes.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import { nodeListing, reading, region } from "../parameters.ts";

const LIST = { from: "region", blocks: true, indexed: true } as const;

export function nodeRoutes(app: Base) {
  return app
    .all("/v1/node/pool", nothingThere)
    .get(
      PATHS.nodes,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listNodes(api, query, signal)),
      {
        query: t.Object(nodeListing),
        endpoint: {
          ...LIST,
          summary: "The client nodes",
          needs: "node:read",
          answers: "NodeList",
        },
      },
    )
    .get(
      PATHS.node,
      async ({ api, params: { id }, query, request: { signal }, set }) =>
        indexed(set, await getNode(api, id, query, signal)),
      {
        query: t.Object(reading),
        endpoint: { ...LIST, summary: "A client node", needs: "node:read", answers: "Node" },
      },
    )
    .get(
      PATHS.nodeAllocations,
      async ({ api, params: { id }, query, request: { signal }, set }) =>
        indexed(set, await nodeAllocations(api, id, query, signal)),
      {
        query: t.Object(reading),
        endpoint: {
          ...LIST,
          summary: "What is placed on a node: nothing, in a region of such servers",
          needs: "node:read",
          answers: "Objects",
        },
      },
    )
    .use(nodeChangeRoutes);
}

/** It is no node's id. */
function nothingThere(): never {
  throw new ApiError(404, "");
}

const CHANGE = { needs: "node:write", from: "leader" } as const;

function nodeChangeRoutes(app: Base) {
  const query = t.Object(region);
  return app
    .put(
      PATHS.nodeDrain,
      async ({ api, params: { id }, query, body, set }) =>
        indexed(set, await drainNode(api, id, query, body)),
      {
        ...TEXT_BODY,
        query,
        endpoint: {
          ...CHANGE,
          summary: "Drains a node, or ends its drain",
          indexed: true,
          takes: "DrainRequest",
          answers: "NodeChange",
        },
      },
    )
    .put(
      PATHS.nodeEligibility,
      async ({ api, params: { id }, query, body, set }) =>
        indexed(set, await setEligibility(api, id, query, body)),
      {
        ...TEXT_BODY,
        query,
        endpoint: {
          ...CHANGE,
          summary: "Keeps a node free of new work, or ends that",
          indexed: true,
          takes: "EligibilityRequest",
          answers: "NodeChange",
        },
      },
    )
    .put(
      PATHS.nodeEvaluate,
      async ({ api, params: { id }, query, set }) =>
        indexed(set, await evaluateNode(api, id, query)),
      {
        ...NO_BODY,
        query,
        endpoint: {
          ...CHANGE,
          summary: "Evaluates a node's work, of which there is none",
          indexed: true,
          answers: "NodeChange",
        },
      },
    )
    .put(
      PATHS.nodePurge,
      async ({ api, params: { id }, query, set }) => indexed(set, await purgeNode(api, id, query)),
      {
        ...NO_BODY,
        query,
        endpoint: {
          ...CHANGE,
          summary: "Forgets a node; one that runs registers again",
          indexed: true,
          answers: "NodePurge",
        },
      },
    );
}
