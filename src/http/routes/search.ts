/** /v1/search: what begins with a text, or has it somewhere. */
import { t } from "elysia";
import { fuzzySearch, search } from "../../api/search.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, TEXT_BODY } from "../base.ts";
import { listing } from "../parameters.ts";

// It changes nothing, though it is asked by POST.
const SEARCH = { needs: "token", from: "region", indexed: true, guarded: false } as const;

export function searchRoutes(app: Base) {
  return app
    .put(
      PATHS.search,
      async ({ api, query, body, request: { signal }, set }) =>
        indexed(set, await search(api, query, body, signal)),
      {
        ...TEXT_BODY,
        query: t.Object(listing),
        endpoint: {
          ...SEARCH,
          summary: "Finds things whose id begins with a text",
          takes: "SearchRequest",
          answers: "SearchResult",
        },
      },
    )
    .put(
      PATHS.searchFuzzy,
      async ({ api, query, body, request: { signal }, set }) =>
        indexed(set, await fuzzySearch(api, query, body, signal)),
      {
        ...TEXT_BODY,
        query: t.Object(listing),
        endpoint: {
          ...SEARCH,
          summary: "Finds things whose name has a text in it",
          takes: "FuzzyRequest",
          answers: "FuzzyResult",
        },
      },
    );
}
