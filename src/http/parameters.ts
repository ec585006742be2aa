/**
 * Query parameters that many endpoints share, with Nomad's words for a mistake. What is not
 * declared is ignored, as Nomad does, and so is all but the first of what is said more than once.
 *
 * @module
 */
import { t } from "elysia";

/** What may be there several times; handlers get a list of it. */
export const REPEATED: ReadonlySet<string> = new Set(["address", "topic"]);

/** A text, or nothing. */
export function word(description: string) {
  return t.Optional(t.String({ description }));
}

/** As Go reads them; given without a value it is as if it were not there. */
function flag(name: string, description: string) {
  const error = `Failed to parse value of "${name}" as a bool: true or false is expected`;
  return t.Optional(t.String({ description, error, pattern: `^(${GO_BOOL})?$` }));
}

/**
 * A list of texts, each as it came: a list without this mark Elysia takes for one that may be
 * written with commas, and splits what it finds in it.
 */
export function words(description: string) {
  return t.Optional(t.Array(t.String(), { description, elysiaMeta: "Repeated" }));
}

const GO_BOOL = "1|t|T|TRUE|true|True|0|f|F|FALSE|false|False";
const GO_DURATION = "[-+]?((\\d+(\\.\\d*)?|\\.\\d+)(ns|us|µs|μs|ms|s|m|h))+|0";

/** Which region answers. */
export const region = { region: word("the region to ask (default: the agent's)") };

/** For what is replicated: which region, and whether any of its servers may answer. */
export const consistency = {
  ...region,
  stale: t.Optional(
    t.String({
      description: "any server may answer, not only the leader",
      error: "Expect `true` or `false` for `stale` query string parameter",
      pattern: `^(${GO_BOOL})?$`,
    }),
  ),
};

/** For a single thing that can be waited for. */
export const reading = {
  ...consistency,
  index: t.Optional(
    t.String({
      description: "answer when there is something newer than this index",
      error: "Invalid index",
      pattern: "^(\\d{1,19})?$",
    }),
  ),
  wait: t.Optional(
    t.String({
      description: "for so long at most (default and maximum 5m)",
      error: "Invalid wait time",
      pattern: `^(${GO_DURATION})?$`,
    }),
  ),
};

/** For lists. */
export const listing = {
  ...reading,
  prefix: word("ids that begin so"),
  filter: word("an expression in go-bexpr's language"),
  next_token: word("where the page before ended"),
  per_page: t.Optional(
    t.String({
      description: "at most so many",
      error: "Expect a number for `per_page` query string parameter",
      pattern: "^(\\d{1,9})?$",
    }),
  ),
};

/** For lists of client nodes. */
export const nodeListing = {
  ...listing,
  os: flag("os", "with each node's attributes of its system"),
  resources: flag("resources", "with each node's resources"),
};

/** For what belongs to a namespace. */
export const namespaced = {
  ...listing,
  namespace: word("the namespace, or * for all (default: default)"),
  reverse: flag("reverse", "the newest first"),
};
