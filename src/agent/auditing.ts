/** Changes that are written down, where the configuration says so: loaded only then. */
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import type { Log } from "../host/host.ts";
import type { Caller } from "../http/access.ts";
import type { HttpApp } from "../http/app.ts";
import type { Asked } from "../http/asked.ts";
import type { Bearer } from "../service/acl/bearer.ts";
import type { AuditLog } from "../service/audit/audit-log.ts";

export class Auditing {
  /** Undefined: it is off. */
  readonly log: AuditLog | undefined;

  private constructor(log: AuditLog | undefined) {
    this.log = log;
  }

  /** @throws Error with one sentence when a file cannot be had */
  static async open(config: Config, endpoints: Endpoints, log: Log): Promise<Auditing> {
    if (!config.audit.enabled) return new Auditing(undefined);
    const { createAuditLog } = await import("./audit-files.ts");
    return new Auditing(createAuditLog(config, endpoints, log));
  }

  /** @param bearerOf whose token it is */
  async around(
    app: HttpApp,
    callerOf: (request: Asked) => Caller | undefined,
    bearerOf: (secret: string) => Bearer | undefined,
  ): Promise<HttpApp> {
    if (this.log === undefined) return app;
    const { auditedApp } = await import("../http/audited-app.ts");
    return auditedApp(app, this.log, { callerOf, bearerOf });
  }
}
