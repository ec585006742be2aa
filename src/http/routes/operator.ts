/** /v1/operator: the Raft group, autopilot, snapshots, and how well everything is encrypted. */
import { t } from "elysia";
import { askedOf } from "../../api/ask.ts";
import { autopilotHealth, autopilotSettings, setAutopilot } from "../../api/autopilot.ts";
import { encryptionReport } from "../../api/encryption.ts";
import { raftConfiguration, removePeer, transferLeadership } from "../../api/raft.ts";
import { restoreArchive, saveArchive } from "../../api/snapshot.ts";
import { PATHS } from "../../paths.ts";
import { type Base, NO_BODY, TEXT_BODY } from "../base.ts";
import type { AnswerOf } from "../endpoint.ts";
import { consistency, region, word, words } from "../parameters.ts";

/** As Nomad says to methods that some of its paths have not. */
const INVALID_PATH = { status: 404, text: "Invalid method" };

export function operatorRoutes(app: Base) {
  return app
    .use(raftRoutes)
    .use(autopilotRoutes)
    .use(snapshotRoutes)
    .get(PATHS.encryption, ({ api }) => encryptionReport(api), {
      endpoint: {
        summary: "How each server can be reached, and what is missing until all is encrypted",
        needs: "operator:read",
        from: "agent",
        answers: "EncryptionReport",
      },
    });
}

/** Elsewhere there may be several addresses: here the first one counts. */
function peerOf({ id, address }: { readonly id?: string; readonly address?: readonly string[] }) {
  const [first] = address ?? [];
  return { ...(id !== undefined && { id }), ...(first !== undefined && { address: first }) };
}

function raftRoutes(app: Base) {
  return app
    .get(
      PATHS.raftConfiguration,
      ({ api, query }): Promise<AnswerOf<"RaftConfiguration">> =>
        raftConfiguration(api, askedOf(api, query)),
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "The servers of the Raft group",
          needs: "management",
          from: "leader",
          answers: "RaftConfiguration",
          otherwise: { status: 405, text: "" },
        },
      },
    )
    .delete(
      PATHS.raftPeer,
      ({ api, query }) => removePeer(api, askedOf(api, query), peerOf(query)),
      {
        ...NO_BODY,
        query: t.Object({ ...region, id: word("its id"), address: words("refused: give the id") }),
        endpoint: {
          summary: "Removes a server from the Raft group",
          otherwise: INVALID_PATH,
          needs: "management",
          from: "leader",
        },
      },
    )
    .put(
      PATHS.raftTransfer,
      ({ api, query }): Promise<AnswerOf<"LeadershipTransfer">> =>
        transferLeadership(api, askedOf(api, query), peerOf(query)),
      {
        ...NO_BODY,
        query: t.Object({ ...region, id: word("of the server"), address: words("or its address") }),
        endpoint: {
          summary: "Makes another server the leader",
          needs: "management",
          from: "leader",
          answers: "LeadershipTransfer",
        },
      },
    );
}

function autopilotRoutes(app: Base) {
  return app
    .get(
      PATHS.autopilotConfiguration,
      ({ api, query }): Promise<AnswerOf<"AutopilotConfiguration">> =>
        autopilotSettings(api, askedOf(api, query)),
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "Autopilot's settings",
          needs: "operator:read",
          from: "leader",
          answers: "AutopilotConfiguration",
          otherwise: INVALID_PATH,
        },
      },
    )
    .put(
      PATHS.autopilotConfiguration,
      ({ api, query, body }): Promise<AnswerOf<"Done">> =>
        setAutopilot(api, askedOf(api, query), query.cas, body),
      {
        ...TEXT_BODY,
        query: t.Object({
          ...region,
          cas: t.Optional(
            t.String({
              description: "only if nobody has changed them since this index",
              error: "Error parsing cas value: it must be an index",
              pattern: "^\\d{1,19}$",
            }),
          ),
        }),
        endpoint: {
          summary: "Replaces autopilot's settings; what is left out becomes zero",
          needs: "operator:write",
          from: "leader",
          also: [],
          takes: "AutopilotRequest",
          answers: "Done",
        },
      },
    )
    .get(
      PATHS.autopilotHealth,
      async ({ api, query, set }) => {
        const health: AnswerOf<"AutopilotHealth"> = await autopilotHealth(api, askedOf(api, query));
        // What asks for the code only must see that something is wrong.
        if (!health.Healthy) set.status = 429;
        return health;
      },
      {
        query: t.Object(region),
        endpoint: {
          summary: "The servers as the leader sees them; 429 when something is wrong",
          needs: "operator:read",
          from: "leader",
          answers: "AutopilotHealth",
          statuses: [200, 429],
        },
      },
    );
}

/** It holds secrets of the clients, and replaces the state of all servers. */
function snapshotRoutes(app: Base) {
  return app
    .get(
      PATHS.snapshot,
      async ({ api, query }) => {
        const { archive, digest } = await saveArchive(api, askedOf(api, query));
        const headers = { "Content-Type": "application/x-gzip", Digest: digest };
        return new Response(new Uint8Array(archive), { headers });
      },
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "The state of the servers as an archive",
          needs: "management",
          guarded: true,
          from: "leader",
          answers: "application/x-gzip",
        },
      },
    )
    .put(
      PATHS.snapshot,
      async ({ api, query, request }) => {
        const archive = new Uint8Array(await request.arrayBuffer());
        return restoreArchive(api, askedOf(api, query), archive);
      },
      {
        ...NO_BODY,
        query: t.Object(region),
        endpoint: {
          summary: "Replaces the state of the servers by that of an archive",
          needs: "management",
          from: "leader",
          takes: "application/x-gzip",
          answers: "RestoreReport",
        },
      },
    );
}
