/** PUT /v1/system/gc and /v1/system/reconcile/summaries: upkeep, at the leader. */
import { type Asked, ask, readBody } from "./ask.ts";
import type { Servers } from "./context.ts";

/** @throws ApiError */
export async function systemTask(
  context: Servers,
  method: "System.GarbageCollect" | "System.ReconcileJobSummaries",
  asked: Asked,
): Promise<void> {
  await ask(context, method, readBody({ ...asked, stale: false }));
}
