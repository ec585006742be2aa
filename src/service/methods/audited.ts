/**
 * What operators change over RPC, written down before and after. What nodes and servers say to each
 * other all the time is no such change.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { decodeQueryOptions } from "../../wire/rpc-status.ts";
import type { Bearer } from "../acl/bearer.ts";
import type { AuditLog, AuditOrigin } from "../audit/audit-log.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import type { RpcMethods } from "./methods.ts";
import type { StreamMethod } from "./stream-methods.ts";

type BearerOf = (secret: string) => Bearer | undefined;
type Calls = Pick<RpcMethods, "call" | "bodyBytesMax">;

/** How the names of methods begin that change something, or hand out secrets. */
const CHANGING = new RegExp(
  "^(?:Set|Upsert|Delete|Remove|RaftRemove|RaftAdd|AutopilotSet|SchedulerSet|Transfer|Deregister|" +
    "Batch|Bootstrap|Apply|Rotate|Register|Revert|Evaluate|Purge|Force|Garbage|Reconcile|Snapshot|" +
    "Exchange|Expire|Login|Scale|Dispatch|Stop|Restart|Signal|Promote|Renew|Fail|Pause|Cancel|Stable|Create|" +
    "Claim|UpdateDrain|UpdateEligibility|UpdateKey|GetToken)",
);
/** Of servers and nodes among themselves. */
const DAILY = /^(?:Node\.Register$|(?:Eval|Plan|ServiceRegistration|Status|Group|Agent)\.)/;

/** Is it an operator's affair what came of it? */
export function isOperatorChange(method: string): boolean {
  const verb = method.slice(method.lastIndexOf(".") + 1);
  return CHANGING.test(verb) && !DAILY.test(method);
}

/** What comes from the network; calls of our own have been written down as what asked for them. */
export function auditedCalls(methods: Calls, audit: AuditLog, bearer: BearerOf): Calls {
  return {
    bodyBytesMax: (name) => methods.bodyBytesMax(name),
    call(name, body, caller) {
      const { from } = caller;
      if (from === undefined || !isOperatorChange(name)) return methods.call(name, body, caller);
      const token = bearer(decodeQueryOptions(body)?.AuthToken ?? "");
      const complete = begin(audit, name, { ...from, token });
      const failed = (error: unknown): never => {
        complete({ error: errorText(error) });
        throw error;
      };
      try {
        const answer = methods.call(name, body, caller);
        if (!(answer instanceof Uint8Array)) {
          return answer.then((bytes) => {
            complete({ error: "" });
            return bytes;
          }, failed);
        }
        complete({ error: "" });
        return answer;
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** Whether such a stream went well is said to the caller only. */
export function auditedStreams(
  methods: ReadonlyMap<string, StreamMethod>,
  audit: AuditLog,
): ReadonlyMap<string, StreamMethod> {
  return new Map(
    [...methods].map(([name, method]) => {
      if (!isOperatorChange(name)) return [name, method];
      const serve: StreamMethod["serve"] = async (stream, values, caller) => {
        const { from } = caller;
        if (from === undefined) return method.serve(stream, values, caller);
        let complete: ReturnType<AuditLog["begin"]>;
        try {
          complete = begin(audit, name, from);
        } catch {
          return stream.destroy();
        }
        await method.serve(stream, values, caller).finally(() => complete({ error: "" }));
      };
      return [name, { serve }];
    }),
  );
}

/** @throws RpcMethodError */
function begin(audit: AuditLog, name: string, from: AuditOrigin): ReturnType<AuditLog["begin"]> {
  try {
    return audit.begin({ type: "RPCEvent", operation: "RPC", endpoint: name, from });
  } catch (error) {
    throw new RpcMethodError(errorText(error), false);
  }
}
