/** /v1/client: what is asked of one client node, by way of the servers. */
import { t } from "elysia";
import { applyMeta, clientIdentity, clientMeta, clientStats } from "../../api/client.ts";
import { PATHS } from "../../paths.ts";
import { type Base, TEXT_BODY } from "../base.ts";
import { region, word } from "../parameters.ts";

const query = t.Object({ ...region, node_id: word("which (default: this agent's own)") });

const READ = { needs: "node:read", from: "region", cors: true } as const;

export function clientRoutes(app: Base) {
  return app
    .get(
      PATHS.clientStats,
      ({ api, query, request: { signal } }) => clientStats(api, query, signal),
      {
        query,
        endpoint: {
          ...READ,
          summary: "CPU, memory and disks of a node's machine",
          answers: "HostStats",
        },
      },
    )
    .get(
      PATHS.clientMetadata,
      ({ api, query, request: { signal } }) => clientMeta(api, query, signal),
      {
        query,
        endpoint: { ...READ, summary: "A node's metadata", answers: "NodeMeta" },
      },
    )
    .put(PATHS.clientMetadata, ({ api, query, body }) => applyMeta(api, query, body), {
      ...TEXT_BODY,
      query,
      endpoint: {
        summary: "Changes a node's metadata",
        needs: "node:write",
        from: "region",
        cors: true,
        takes: "NodeMetaRequest",
        answers: "NodeMeta",
      },
    })
    .get(
      PATHS.clientIdentity,
      ({ api, query, request: { signal } }) => clientIdentity(api, query, signal),
      {
        query,
        endpoint: {
          ...READ,
          summary: "What a node's identity says of it",
          answers: "NodeIdentity",
        },
      },
    );
}
