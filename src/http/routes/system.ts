/** /v1/system: upkeep of the servers' state, at the leader. */
import { t } from "elysia";
import { askedOf } from "../../api/ask.ts";
import { systemTask } from "../../api/system.ts";
import { PATHS } from "../../paths.ts";
import { type Base, NO_BODY } from "../base.ts";
import { region } from "../parameters.ts";

export function systemRoutes(app: Base) {
  return app
    .put(
      PATHS.systemGc,
      ({ api, query }) => systemTask(api, "System.GarbageCollect", askedOf(api, query)),
      {
        ...NO_BODY,
        query: t.Object(region),
        endpoint: {
          summary: "Forgets what nobody needs any more",
          needs: "management",
          from: "leader",
        },
      },
    )
    .put(
      PATHS.systemSummaries,
      ({ api, query }) => systemTask(api, "System.ReconcileJobSummaries", askedOf(api, query)),
      {
        ...NO_BODY,
        query: t.Object(region),
        endpoint: {
          summary: "Counts the jobs' allocations anew: there are none",
          needs: "management",
          from: "leader",
        },
      },
    );
}
