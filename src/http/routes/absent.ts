/** What Nomad's agents have and this one has not: Enterprise, the scheduler's workers, profiles. */
import { t } from "elysia";
import {
  enterpriseOnly,
  noLogExport,
  noProfiles,
  schedulerConfiguration,
  schedulers,
  schedulerWorkers,
  upgradeCheck,
} from "../../api/absent.ts";
import { refuseScheduling } from "../../api/elsewhere.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, NO_BODY } from "../base.ts";
import { consistency } from "../parameters.ts";

/** With any method. */
const ENTERPRISE = [
  "/v1/operator/audit",
  "/v1/quota",
  "/v1/quota-usages",
  "/v1/quota/*",
  "/v1/quotas",
  "/v1/recommendation",
  "/v1/recommendation/*",
  "/v1/recommendations",
  "/v1/recommendations/apply",
  "/v1/sentinel/policies",
  "/v1/sentinel/policy/*",
];

const REFUSED = { from: "agent", guarded: false, refuses: 501 } as const;

export function absentRoutes(app: Base) {
  for (const path of ENTERPRISE) {
    app.get(path, enterpriseOnly, {
      endpoint: {
        ...REFUSED,
        summary: "Nomad Enterprise's",
        needs: "anonymous",
        also: ["PUT", "POST", "DELETE"],
      },
    });
  }
  return app
    .get(PATHS.agentPprof, noProfiles, {
      endpoint: { ...REFUSED, summary: "Profiles of a Go program: none", needs: "agent:write" },
    })
    .get(PATHS.agentMonitorExport, noLogExport, {
      endpoint: { ...REFUSED, summary: "Stored logs: none", needs: "agent:read" },
    })
    .use(schedulerWorkerRoutes)
    .use(licenseRoutes);
}

function schedulerWorkerRoutes(app: Base) {
  return app
    .get(PATHS.agentSchedulers, ({ api }) => schedulers(api), {
      endpoint: {
        summary: "The scheduler's workers: none",
        needs: "agent:read",
        from: "agent",
        answers: "Schedulers",
      },
    })
    .get(PATHS.agentSchedulersConfig, ({ api }) => schedulerWorkers(api), {
      endpoint: {
        summary: "How many workers there are: none",
        needs: "agent:read",
        from: "agent",
        answers: "SchedulerWorkers",
      },
    })
    .put(PATHS.agentSchedulersConfig, refuseScheduling, {
      ...NO_BODY,
      endpoint: { ...REFUSED, summary: "Needs a scheduler: refused", needs: "agent:write" },
    })
    .get(PATHS.schedulerConfiguration, schedulerConfiguration, {
      query: t.Object(consistency),
      endpoint: {
        ...REFUSED,
        summary: "The scheduler's settings: none",
        needs: "operator:read",
        refuses: 404,
      },
    })
    .put(PATHS.schedulerConfiguration, refuseScheduling, {
      ...NO_BODY,
      endpoint: { ...REFUSED, summary: "Needs a scheduler: refused", needs: "operator:write" },
    });
}

function licenseRoutes(app: Base) {
  return app
    .get(
      PATHS.license,
      ({ set }) => {
        set.status = 204;
      },
      {
        endpoint: {
          summary: "There is none",
          ...{ needs: "operator:read", from: "agent", statuses: [204] },
        },
      },
    )
    .put(PATHS.license, enterpriseOnly, {
      ...NO_BODY,
      endpoint: { ...REFUSED, summary: "Nomad Enterprise's", needs: "operator:write" },
    })
    .put(PATHS.utilization, enterpriseOnly, {
      ...NO_BODY,
      endpoint: { ...REFUSED, summary: "Nomad Enterprise's", needs: "operator:write" },
    })
    .get(
      PATHS.upgradeCheck,
      async ({ api, params: { name }, query, set }) =>
        indexed(set, await upgradeCheck(api, query, name)),
      {
        query: t.Object(consistency),
        endpoint: {
          summary: "What an upgrade would not leave as it is: nothing",
          needs: "operator:read",
          from: "region",
          indexed: true,
          answers: "UpgradeCheck",
        },
      },
    );
}
