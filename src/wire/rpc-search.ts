/** Bodies of the Search and Namespace methods that are not in the log. */
import { bool, list, mapOf, struct, text } from "./codec.ts";
import { queryFields, queryMeta } from "./rpc-status.ts";

/** The prefix is the field that all queries have. */
export const searchRequest = struct({ ...queryFields, Context: text });

export const searchReply = struct({
  ...queryMeta,
  Matches: mapOf(list(text)),
  Truncations: mapOf(bool),
});

export const fuzzyRequest = struct({ ...queryFields, Context: text, Text: text });

export const fuzzyReply = struct({
  ...queryMeta,
  Matches: mapOf(list(struct({ ID: text, Scope: list(text) }))),
  Truncations: mapOf(bool),
});

export const namespaceRequest = struct({ ...queryFields, Name: text });
export const namespacesRequest = struct({ ...queryFields, Namespaces: list(text) });
