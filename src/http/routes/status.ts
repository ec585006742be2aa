/** /v1/status, /v1/regions and /v1/metrics: how things stand. */
import { t } from "elysia";
import { regions } from "../../api/agent.ts";
import { askedOf } from "../../api/ask.ts";
import { metricsAsJson, metricsAsText } from "../../api/metrics-answer.ts";
import { statusLeader, statusPeers } from "../../api/raft.ts";
import { statusReport } from "../../api/status.ts";
import { PATHS } from "../../paths.ts";
import type { Base } from "../base.ts";
import type { AnswerOf } from "../endpoint.ts";
import { consistency, word } from "../parameters.ts";

export function statusRoutes(app: Base) {
  return app
    .get(
      PATHS.statusLeader,
      ({ api, query }): Promise<AnswerOf<"Text">> => statusLeader(api, askedOf(api, query)),
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "The leader's RPC address",
          needs: "anonymous",
          from: "region",
          answers: "Text",
        },
      },
    )
    .get(
      PATHS.statusPeers,
      ({ api, query }): Promise<AnswerOf<"Texts">> => statusPeers(api, askedOf(api, query)),
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "The RPC addresses of the Raft group",
          needs: "anonymous",
          from: "region",
          answers: "Texts",
        },
      },
    )
    .get(PATHS.status, ({ api }) => statusReport(api), {
      endpoint: {
        summary: "What is encrypted and what is not, with which key and certificate",
        needs: "agent:read",
        from: "agent",
        answers: "StatusReport",
      },
    })
    .get(PATHS.regions, ({ api }): Promise<AnswerOf<"Texts">> => regions(api), {
      endpoint: {
        summary: "The regions that gossip knows",
        needs: "anonymous",
        from: "agent",
        answers: "Texts",
      },
    })
    .get(
      PATHS.metrics,
      async ({ api, query: { format } }) => {
        if (format !== "prometheus") return metricsAsJson(api);
        const type = "text/plain; version=0.0.4; charset=utf-8";
        return new Response(await metricsAsText(api), { headers: { "Content-Type": type } });
      },
      {
        query: t.Object({ format: word("prometheus: its text format instead of JSON") }),
        endpoint: {
          summary: "Figures of this agent",
          needs: "anonymous",
          from: "agent",
          answers: "Metrics",
        },
      },
    );
}
