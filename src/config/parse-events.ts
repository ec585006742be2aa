/** Settings of what servers tell of what happens, and of what they find. */
import type { SearchConfig } from "./config.ts";
import type { Section } from "./section.ts";

const COUNT_MAX = 0x7fff_ffff;
const RESULTS_MAX = 10_000;
const TERM_LENGTH_MAX = 128;

/** Undefined: no events. */
export function readEvents(section: Section): number | undefined {
  const size = section.ownInt("event_buffer_size", 0, COUNT_MAX) ?? 100;
  return section.ownBool("enable_event_broker") === false ? undefined : size;
}

export function readSearch(section: Section): SearchConfig {
  const search = {
    fuzzyEnabled: section.ownBool("fuzzy_enabled") ?? true,
    limitResults: section.int("limit_results", 1, RESULTS_MAX) ?? 100,
    minTermLength: section.int("min_term_length", 1, TERM_LENGTH_MAX) ?? 2,
  };
  // Everything is searched: it takes a millisecond.
  section.ignore({ limit_query: "int" });
  section.finish();
  return search;
}
