/**
 * Every endpoint of the API: a plugin for each topic, on one base. From here come routing, the
 * answers to other methods, the OpenAPI document and the README's table.
 *
 * @module
 */
import { ApiError } from "../api/errors.ts";
import { type BaseInit, createBase } from "./base.ts";
import { DETAIL, type Declared, METHODS, twinsOf } from "./endpoint.ts";
import { absentRoutes } from "./routes/absent.ts";
import { aclRoutes } from "./routes/acl.ts";
import { agentRoutes } from "./routes/agent.ts";
import { clientRoutes } from "./routes/client.ts";
import { documentRoutes } from "./routes/document.ts";
import { eventRoutes } from "./routes/events.ts";
import { identityRoutes } from "./routes/identities.ts";
import { keyringRoutes } from "./routes/keyring.ts";
import { namespaceRoutes } from "./routes/namespaces.ts";
import { poolRoutes } from "./routes/node-pools.ts";
import { nodeRoutes } from "./routes/nodes.ts";
import { operatorRoutes } from "./routes/operator.ts";
import { schedulerRoutes } from "./routes/scheduler.ts";
import { searchRoutes } from "./routes/search.ts";
import { statusRoutes } from "./routes/status.ts";
import { systemRoutes } from "./routes/system.ts";
import { INVALID_METHOD, shadowed } from "./routing.ts";

/** With each endpoint once, under the method that it was declared with. */
export function createTable(init: BaseInit) {
  return createBase(init)
    .use(agentRoutes)
    .use(keyringRoutes)
    .use(statusRoutes)
    .use(operatorRoutes)
    .use(nodeRoutes)
    .use(poolRoutes)
    .use(clientRoutes)
    .use(identityRoutes)
    .use(eventRoutes)
    .use(namespaceRoutes)
    .use(searchRoutes)
    .use(systemRoutes)
    .use(aclRoutes)
    .use(absentRoutes)
    .use(documentRoutes)
    .use(schedulerRoutes);
}

type Table = ReturnType<typeof createTable>;

/**
 * A path that a form of other paths fits, too, has its own methods only: the router would look on
 * for those that it lacks, and take `self` for somebody's id.
 */
export function addRefusals(app: Table, table: readonly Declared[]): void {
  const { status, text } = INVALID_METHOD;
  for (const { path, methods } of shadowed(table)) {
    for (const method of METHODS.filter((one) => !methods.includes(one))) {
      app.route(method, path, () => {
        throw new ApiError(status, text);
      });
    }
  }
}

/** Methods that mean the same as the declared one lead to the same handler. */
export function addTwins(app: Table): void {
  for (const { method, path, handler, hooks } of [...app.routes]) {
    const { detail, transform } = hooks;
    for (const twin of twinsOf(Object(detail?.[DETAIL]), method)) {
      // What the base derives for all routes is there already, and would be done twice.
      const own = transform.filter((one: { subType?: string }) => one.subType !== "derive");
      app.route(twin, path, handler, { ...hooks, transform: own });
    }
  }
}
