/** /v1/event/stream: what happens on a server. */
import { t } from "elysia";
import { eventStream } from "../../api/events.ts";
import { PATHS } from "../../paths.ts";
import type { Base } from "../base.ts";
import { region, word, words } from "../parameters.ts";

export function eventRoutes(app: Base) {
  return app.get(
    PATHS.eventStream,
    async ({ api, query }) => {
      const headers = { "Content-Type": "application/json", "Cache-Control": "no-cache" };
      const body = await eventStream(api, query);
      return new Response(body, { headers: { ...headers, "X-Accel-Buffering": "no" } });
    },
    {
      query: t.Object({
        ...region,
        namespace: word("of things in a namespace, those of this one (default: all)"),
        index: word("begin there, or with the next that is kept (default: all that are kept)"),
        topic: words("Topic:key, as often as you like (default: everything)"),
      }),
      endpoint: {
        summary: "What happens, as lines of JSON",
        needs: "token",
        from: "region",
        streams: true,
        answers: "Events",
      },
    },
  );
}
