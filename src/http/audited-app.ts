/** Changes over HTTP, and the reading of secrets, written down before and after their answers. */
import { errorText } from "../host/error-text.ts";
import { formatAddress, formatIp } from "../host/ip.ts";
import { PATHS } from "../paths.ts";
import type { AuditLog, AuditOrigin, AuditRequest } from "../service/audit/audit-log.ts";
import { type Caller, STRANGER } from "./access.ts";
import { plain } from "./answers.ts";
import type { HttpApp } from "./app.ts";
import { type Asked, pathOf } from "./asked.ts";
import { tokenOf } from "./token.ts";

const READING = ["GET", "HEAD", "OPTIONS"];
/** What is looked for stands in a body. */
const SEARCH = PATHS.search;
/** What shows secrets to whoever only reads. */
const SECRETS = ["/v1/agent/keyring/", "/v1/acl/token/", PATHS.snapshot];
/** Parameters that say what is changed, and how. */
const TOLD = [
  ...["address", "node", "node_id", "id", "prune", "enable", "force", "purge", "cas", "region"],
  ...["fingerprints", "global", "reset"],
];

interface Who {
  readonly callerOf: (request: Asked) => Caller | undefined;
  /** Whose token it is. */
  readonly bearerOf: (secret: string) => AuditOrigin["token"];
}

export function auditedApp(app: HttpApp, audit: AuditLog, who: Who): HttpApp {
  return {
    vouchesFor: (request) => app.vouchesFor(request),
    async handle(request) {
      if (!isAudited(request.method, pathOf(request.url))) return app.handle(request);
      const { pathname, searchParams } = new URL(request.url);
      let complete: ReturnType<AuditLog["begin"]>;
      try {
        complete = audit.begin(requestOf(request, pathname, searchParams, who));
      } catch (error) {
        return plain(500, `${errorText(error)}; the change was not made`);
      }
      try {
        const answer = await app.handle(request);
        const { status } = answer;
        complete({ status, error: status < 400 ? "" : await answer.clone().text() });
        return answer;
      } catch (error) {
        complete({ status: 500, error: errorText(error) });
        throw error;
      }
    },
    direct: (asked) => (isAudited("GET", asked.path) ? undefined : app.direct?.(asked)),
  };
}

function isAudited(method: string, path: string): boolean {
  const isReading = READING.includes(method) || path.startsWith(SEARCH);
  return !isReading || SECRETS.some((one) => path.startsWith(one));
}

function requestOf(
  request: Request,
  endpoint: string,
  query: URLSearchParams,
  { callerOf, bearerOf }: Who,
): AuditRequest {
  const { method, headers } = request;
  const parameters = Object.fromEntries(
    TOLD.filter((name) => query.has(name)).map((name) => [name, query.getAll(name).join(",")]),
  );
  const namespace = query.get("namespace") ?? headers.get("x-nomad-namespace") ?? "default";
  const origin = originOf(callerOf(request) ?? STRANGER, headers.get("user-agent") ?? "");
  const from = { ...origin, token: bearerOf(tokenOf(request)) };
  return { type: "HTTPEvent", operation: method, endpoint, parameters, namespace, from };
}

function originOf(caller: Caller, userAgent: string): AuditOrigin {
  const { ip, port, names, fingerprint } = caller;
  const address = port === undefined ? formatIp(ip) : formatAddress({ ip, port });
  return { address, names, fingerprint, userAgent };
}
