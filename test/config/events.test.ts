/** What stands in the server block about events and searching. */
import { expect, test } from "bun:test";
import type { Config } from "../../src/config/config.ts";
import { errors, read } from "./read.ts";

const server = (text: string): string =>
  `data_dir = "/x"\nserver {\n  enabled = true\n${text}\n}\n`;

function serverOf(text: string): Config["server"] {
  const { config, problems } = read(server(text));
  expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
  if (config === undefined) throw new Error("no configuration");
  return config.server;
}

test("a hundred events are kept, more or fewer if it is said, and none without the broker", () => {
  expect(serverOf("").eventBufferSize).toBe(100);
  expect(serverOf("event_buffer_size = 5000").eventBufferSize).toBe(5000);
  expect(serverOf("event_buffer_size = 0").eventBufferSize).toBe(0);
  expect(serverOf("enable_event_broker = true").eventBufferSize).toBe(100);
  expect(serverOf("enable_event_broker = false").eventBufferSize).toBeUndefined();
});

test("searches are Nomad's, unless something else is said", () => {
  const usual = { fuzzyEnabled: true, limitResults: 100, minTermLength: 2 };
  expect(serverOf("").search).toEqual(usual);
  const block = "search {\n  fuzzy_enabled = false\n  limit_query = 200\n  limit_results = 7\n}";
  expect(serverOf(block).search).toEqual({ ...usual, fuzzyEnabled: false, limitResults: 7 });
  expect(serverOf("search {\n  min_term_length = 5\n}").search.minTermLength).toBe(5);
});

test("what cannot be is a mistake with its place", () => {
  expect(errors(server("event_buffer_size = -1")).join()).toContain("must be between 0 and");
  expect(errors(server('enable_event_broker = "maybe"'))).toHaveLength(1);
  expect(errors(server("search {\n  limit_results = 99999\n}")).join()).toContain("5:19");
  expect(errors(server("search {\n  fuzzy = true\n}"))).toHaveLength(1);
});
