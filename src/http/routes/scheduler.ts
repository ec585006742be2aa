/**
 * What belongs to a scheduler of jobs: reading it finds nothing, in a region of servers like this
 * one, and changing it is refused.
 *
 * @module
 */
import { t } from "elysia";
import {
  jobStatuses,
  noAllocation,
  readScheduler,
  refuseScheduling,
  type SchedulerRead,
} from "../../api/elsewhere.ts";
import { changeScheduler } from "../../api/scheduler-changes.ts";
import type { Need } from "../../state/acl/need.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import { namespaced, region, word } from "../parameters.ts";

interface Read extends SchedulerRead {
  readonly path: string;
  readonly what: string;
  readonly needs: Need;
  /** Ends of the path below the name; its own name is what is before. */
  readonly below?: Readonly<Record<string, SchedulerRead>>;
  /** Methods that would change it. */
  readonly changes?: readonly ("PUT" | "DELETE")[];
}

const JOB = { key: "JobID", missing: "job not found" };
const PUT = ["PUT"] as const;
const BOTH = ["PUT", "DELETE"] as const;

/** With a star behind it: names of jobs and the like may have slashes in them. */
const READS: readonly Read[] = [
  {
    path: "/v1/jobs",
    what: "The jobs",
    ...{ method: "Job.List", field: "Jobs", needs: "namespace:list-jobs", changes: PUT },
  },
  {
    path: "/v1/jobs/statuses",
    what: "The jobs, with how they are",
    ...{ method: "Job.Statuses", field: "Jobs", needs: "namespace:read-job" },
  },
  {
    path: "/v1/job/*",
    what: "A job, or what belongs to it",
    ...{ method: "Job.GetJob", field: "Job", ...JOB },
    ...{ needs: "namespace:read-job", changes: BOTH },
    below: {
      allocations: { method: "Job.Allocations", key: "JobID", field: "Allocations" },
      deployments: { method: "Job.Deployments", key: "JobID", field: "Deployments" },
      evaluations: { method: "Job.Evaluations", key: "JobID", field: "Evaluations" },
      services: { method: "Job.GetServiceRegistrations", key: "JobID", field: "Services" },
      scale: { method: "Job.ScaleStatus", field: "JobScaleStatus", ...JOB },
      summary: { method: "Job.Summary", field: "JobSummary", ...JOB },
      versions: {
        ...{ method: "Job.GetJobVersions", key: "JobID", field: "Versions" },
        missing: "job versions not found",
      },
    },
  },
  {
    path: "/v1/allocations",
    what: "The allocations",
    ...{ method: "Alloc.List", field: "Allocations", needs: "namespace:read-job" },
  },
  {
    path: "/v1/allocation/*",
    what: "An allocation",
    ...{ method: "Alloc.GetAlloc", key: "AllocID", field: "Alloc", missing: "alloc not found" },
    ...{ needs: "namespace:read-job", changes: PUT },
  },
  {
    path: "/v1/evaluations",
    what: "The evaluations",
    ...{ method: "Eval.List", field: "Evaluations", needs: "namespace:read-job" },
    changes: ["DELETE"],
  },
  {
    path: "/v1/evaluations/count",
    what: "How many evaluations there are",
    ...{ method: "Eval.Count", field: "Count", isCount: true, needs: "namespace:read-job" },
  },
  {
    path: "/v1/evaluation/*",
    what: "An evaluation",
    ...{ method: "Eval.GetEval", key: "EvalID", field: "Eval", missing: "eval not found" },
    needs: "namespace:read-job",
    below: { allocations: { method: "Eval.Allocations", key: "EvalID", field: "Allocations" } },
  },
  {
    path: "/v1/deployments",
    what: "The deployments",
    ...{ method: "Deployment.List", field: "Deployments", needs: "namespace:read-job" },
  },
  {
    path: "/v1/deployment/allocations/*",
    what: "The allocations of a deployment",
    ...{ method: "Deployment.Allocations", key: "DeploymentID", field: "Allocations" },
    needs: "namespace:read-job",
  },
  {
    path: "/v1/deployment/*",
    what: "A deployment",
    ...{ method: "Deployment.GetDeployment", key: "DeploymentID", field: "Deployment" },
    missing: "deployment not found",
    ...{ needs: "namespace:read-job", changes: PUT },
  },
  {
    path: "/v1/node/pool/:name/jobs",
    what: "The jobs of a node pool",
    ...{ method: "NodePool.ListJobs", key: "Name", field: "Jobs", needs: "namespace:list-jobs" },
  },
  {
    path: "/v1/plugins",
    what: "The storage plugins",
    ...{ method: "CSIPlugin.List", field: "Plugins", needs: "plugin:list" },
  },
  {
    path: "/v1/plugin/csi/*",
    what: "A storage plugin",
    ...{ method: "CSIPlugin.Get", key: "ID", field: "Plugin", missing: "plugin not found" },
    needs: "plugin:read",
  },
  {
    path: "/v1/scaling/policies",
    what: "The scaling policies",
    ...{ method: "Scaling.ListPolicies", field: "Policies" },
    needs: "namespace:list-scaling-policies",
  },
  {
    path: "/v1/scaling/policy/*",
    what: "A scaling policy",
    ...{ method: "Scaling.GetPolicy", key: "ID", field: "Policy", missing: "policy not found" },
    needs: "namespace:read-scaling-policy",
  },
  {
    path: "/v1/services",
    what: "The services",
    ...{ method: "ServiceRegistration.List", field: "Services", needs: "namespace:read-job" },
  },
  {
    path: "/v1/service/*",
    what: "The instances of a service",
    ...{ method: "ServiceRegistration.GetService", key: "ServiceName", field: "Services" },
    ...{ needs: "namespace:read-job", changes: ["DELETE"] },
  },
  {
    path: "/v1/vars",
    what: "The variables",
    ...{ method: "Variables.List", field: "Data", needs: "token" },
  },
  {
    path: "/v1/var/*",
    what: "A variable",
    ...{ method: "Variables.Read", key: "Path", field: "Data", missing: "variable not found" },
    ...{ needs: "token", changes: BOTH },
  },
  {
    path: "/v1/volumes",
    what: "The volumes",
    ...{ method: "CSIVolume.List", field: "Volumes", needs: "namespace:csi-list-volume" },
    changes: PUT,
  },
  {
    path: "/v1/volume/csi/*",
    what: "A storage volume",
    ...{ method: "CSIVolume.Get", key: "ID", field: "Volume", missing: "volume not found" },
    ...{ needs: "namespace:csi-read-volume", changes: BOTH },
  },
  {
    path: "/v1/volume/host/*",
    what: "A volume of a node",
    ...{ method: "HostVolume.Get", key: "ID", field: "Volume", missing: "volume not found" },
    ...{ needs: "namespace:host-volume-read", changes: BOTH },
  },
];

/** What only changes something, or is read by a client that runs jobs. */
const ONLY_HERE: readonly (readonly ["GET" | "PUT" | "DELETE", string, Need])[] = [
  ["PUT", "/v1/jobs/parse", "namespace:parse-job"],
  ["PUT", "/v1/validate/job", "namespace:read-job"],
  ["PUT", "/v1/client/fs/*", "namespace:read-fs"],
  ["PUT", "/v1/client/allocation/*", "namespace:alloc-lifecycle"],
  ["GET", "/v1/client/gc", "node:write"],
  ["PUT", "/v1/client/gc", "node:write"],
  ["PUT", "/v1/volume/create", "namespace:host-volume-create"],
  // What a storage plugin would be asked.
  ["GET", "/v1/volumes/external", "namespace:csi-list-volume"],
  ["GET", "/v1/volumes/snapshot", "namespace:csi-list-volume"],
  ["PUT", "/v1/volumes/snapshot", "namespace:csi-write-volume"],
  ["DELETE", "/v1/volumes/snapshot", "namespace:csi-write-volume"],
];

const REFUSED = { from: "agent", guarded: false, refuses: 501 } as const;

const query = t.Object(namespaced);
const CHANGING = t.Object({
  ...region,
  namespace: word("the namespace (default: default)"),
  purge: word("true: a job is forgotten, too"),
  global: word("true: in all regions of the job"),
});

export function schedulerRoutes(app: Base) {
  for (const read of READS) addRead(app, read);
  addStatuses(app);
  for (const path of ["/v1/client/allocation/*", "/v1/client/fs/*"]) {
    app.get(path, ({ params }) => noAllocation(nameIn(params)), {
      endpoint: {
        summary: "What belongs to an allocation: there is none",
        ...{ needs: "namespace:read-fs", from: "agent", refuses: 404, cors: true },
      },
    });
  }
  for (const [method, path, needs] of ONLY_HERE) {
    app.route(method, path, refuseScheduling, {
      ...NO_BODY,
      endpoint: { ...REFUSED, summary: "Needs a scheduler: refused", needs },
    });
  }
  return app;
}

function addStatuses(app: Base): void {
  app.post(
    "/v1/jobs/statuses",
    async ({ api, query, body, request: { signal }, set }) =>
      indexed(set, await jobStatuses(api, query, body, signal)),
    {
      ...TEXT_BODY,
      query,
      endpoint: {
        summary: "Of jobs that are named, how they are: none, without a scheduler",
        ...{ needs: "namespace:read-job", from: "region", guarded: false },
        ...{ blocks: true, indexed: true, takes: "JobStatusesRequest", answers: "Objects" },
      },
    },
  );
}

function addRead(app: Base, { path, what, needs, below = {}, changes = [], ...read }: Read): void {
  app.get(
    path,
    async ({ api, params, query, request: { signal }, set }) => {
      const { rest, end } = splitEnd(nameIn(params), below);
      return indexed(set, await readScheduler(api, below[end] ?? read, rest, query, signal));
    },
    {
      query,
      endpoint: {
        summary: read.missing === undefined ? `${what}: none, without a scheduler` : what,
        needs,
        from: "region",
        blocks: true,
        indexed: true,
        answers: read.missing === undefined && !read.isCount ? "Objects" : "Anything",
      },
    },
  );
  for (const method of changes) {
    app.route(
      method,
      path,
      async ({ api, query, body, request, set }) => {
        const asked = { method, path: new URL(request.url).pathname, query, body };
        return indexed(set, await changeScheduler(api, asked));
      },
      {
        ...TEXT_BODY,
        query: CHANGING,
        endpoint: {
          summary: "Changes it, in a region that has a scheduler; else refused",
          ...{ needs, from: "region", indexed: true, answers: "Anything" },
        },
      },
    );
  }
}

/** The router leaves what stands for a star as it came, and says nothing where there is none. */
function nameIn(params: Readonly<Record<string, string>> = {}): string {
  return params["name"] ?? decodeURIComponent(params["*"] ?? "");
}

function splitEnd(name: string, below: object): { readonly rest: string; readonly end: string } {
  const slash = name.lastIndexOf("/");
  const end = name.slice(slash + 1);
  return slash > 0 && Object.hasOwn(below, end)
    ? { rest: name.slice(0, slash), end }
    : { rest: name, end: "" };
}
