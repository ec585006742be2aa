/** /v1/agent: what an agent says of itself, and what is done to it. */
import { t } from "elysia";
import {
  agentForceLeave,
  agentHealth,
  agentJoin,
  agentMembers,
  agentSelf,
} from "../../api/agent.ts";
import { knownServers, setKnownServers } from "../../api/client.ts";
import type { ApiContext, ReloadReport } from "../../api/context.ts";
import { ApiError } from "../../api/errors.ts";
import { agentHost } from "../../api/host.ts";
import { monitorLog } from "../../api/monitor.ts";
import { errorText } from "../../host/error-text.ts";
import { PATHS } from "../../paths.ts";
import { type Base, NO_BODY } from "../base.ts";
import type { AnswerOf } from "../endpoint.ts";
import { region, word, words } from "../parameters.ts";

export function agentRoutes(app: Base) {
  return app
    .get(
      PATHS.agentHealth,
      ({ api, query }): AnswerOf<"AgentHealth"> => agentHealth(api, query.type),
      {
        query: t.Object({ type: word("client or server (default: what this agent is)") }),
        endpoint: {
          summary: "Whether the parts of this agent are well",
          needs: "anonymous",
          from: "agent",
          answers: "AgentHealth",
        },
      },
    )
    .get(PATHS.agentMembers, ({ api }) => agentMembers(api), {
      query: t.Object(region),
      endpoint: {
        summary: "The servers that gossip knows",
        needs: "node:read",
        from: "agent",
        answers: "Members",
      },
    })
    .get(PATHS.agentSelf, ({ api }) => agentSelf(api), {
      endpoint: {
        summary: "This agent's configuration, member and numbers",
        needs: "agent:read",
        from: "agent",
        answers: "AgentSelf",
      },
    })
    .get(
      PATHS.agentPermissions,
      async ({ gate, request }): Promise<AnswerOf<"Permissions">> => ({
        Refused: await gate.refusals(request),
      }),
      {
        endpoint: {
          summary: "What would be refused to this caller, and why",
          needs: "anonymous",
          from: "agent",
          answers: "Permissions",
        },
      },
    )
    .use(agentChangeRoutes)
    .use(serverListRoutes)
    .use(monitorRoutes);
}

function agentChangeRoutes(app: Base) {
  return app
    .put(
      PATHS.agentJoin,
      ({ api, query }): Promise<AnswerOf<"JoinResult">> => agentJoin(api, query.address ?? []),
      {
        ...NO_BODY,
        query: t.Object({ address: words("servers to join") }),
        endpoint: {
          summary: "Joins servers",
          needs: "agent:write",
          from: "agent",
          answers: "JoinResult",
        },
      },
    )
    .put(
      PATHS.agentForceLeave,
      ({ api, query: { node, prune } }) => agentForceLeave(api, node, prune),
      {
        ...NO_BODY,
        query: t.Object({
          node: word("the name of the server, with its region"),
          prune: word("true: it is forgotten, too"),
        }),
        endpoint: {
          summary: "Declares a failed server to have left",
          needs: "agent:write",
          from: "agent",
        },
      },
    )
    .put(PATHS.agentReload, ({ api }): Promise<AnswerOf<"ReloadReport">> => reload(api), {
      ...NO_BODY,
      endpoint: {
        summary: "Reads the configuration again, as SIGHUP does",
        needs: "agent:write",
        from: "agent",
        answers: "ReloadReport",
      },
    });
}

function serverListRoutes(app: Base) {
  return app
    .get(PATHS.agentServers, ({ api }): AnswerOf<"Texts"> => knownServers(api), {
      endpoint: {
        summary: "The servers that this agent's node knows",
        needs: "agent:read",
        from: "agent",
        answers: "Texts",
      },
    })
    .put(PATHS.agentServers, ({ api, query }) => setKnownServers(api, query.address ?? []), {
      ...NO_BODY,
      query: t.Object({ address: words("servers, instead of those that it knows") }),
      endpoint: {
        summary: "Gives this agent's node other servers",
        needs: "agent:write",
        from: "agent",
      },
    });
}

function monitorRoutes(app: Base) {
  return app
    .get(PATHS.agentHost, ({ api, query, request: { signal } }) => agentHost(api, query, signal), {
      query: t.Object({
        ...region,
        node_id: word("the machine of this client node"),
        server_id: word("of this server: only the agent itself"),
      }),
      endpoint: {
        summary: "The agent's machine, for whoever looks for a fault",
        needs: "agent:read",
        from: "agent",
        answers: "HostData",
      },
    })
    .get(
      PATHS.agentMonitor,
      async ({ api, query }) => {
        const { plain, body } = await monitorLog(api, query);
        const type = plain ? "text/plain" : "application/json";
        // The server sends it as it comes, and so does a proxy that knows this header.
        return new Response(body, { headers: { "Content-Type": type, "X-Accel-Buffering": "no" } });
      },
      {
        query: t.Object({
          ...region,
          log_level: word("TRACE, DEBUG, INFO, WARN or ERROR (default: INFO)"),
          log_json: word("true: each line is JSON"),
          log_include_location: word("taken, and of no effect"),
          plain: word("true: the bare text, no frames"),
          node_id: word("the log of this client node"),
          server_id: word("the log of this server, by name or id, or of the leader"),
        }),
        endpoint: {
          summary: "An agent's log as it is written",
          needs: "agent:read",
          from: "agent",
          streams: true,
          answers: "MonitorFrame",
        },
      },
    );
}

/** As SIGHUP, but whoever asks hears what came of it. */
async function reload(context: ApiContext): Promise<ReloadReport> {
  return context.reload().catch((error: unknown) => {
    throw new ApiError(500, `${errorText(error)}\nthe old configuration stays in force`);
  });
}
