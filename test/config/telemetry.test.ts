/** The telemetry block: what is read, and what of it keeps an agent from starting. */
import { expect, test } from "bun:test";
import { errors, read, warnings } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';
const block = (text: string): string => `${SERVER}telemetry {\n${text}\n}`;

test("Nomad's defaults; prometheus_metrics is ours", () => {
  expect(read(SERVER).config?.telemetry).toEqual({
    collectionIntervalMs: 1000,
    inMemoryCollectionIntervalMs: 10_000,
    prometheusMetrics: true,
    disableHostname: false,
    useNodeName: false,
    publishNodeMetrics: false,
    filterDefault: true,
    prefixFilter: [],
    statsdAddress: undefined,
    statsiteAddress: undefined,
    datadogAddress: undefined,
    datadogTags: [],
  });
});

test("a later file's lists replace those before", () => {
  const { config } = read(
    block('prefix_filter = ["+a", "-b"]\ndatadog_tags = ["x"]\nfilter_default = false'),
    'telemetry {\n  prefix_filter = ["", "+c"]\n  filter_default = true\n}',
  );
  const { prefixFilter, datadogTags, filterDefault } = config?.telemetry ?? {};
  expect([prefixFilter, datadogTags, filterDefault]).toEqual([["+c"], ["x"], true]);
});

test("what stops Nomad's agent stops ours", () => {
  const first = (text: string): string | undefined => errors(block(text))[0];
  expect(first('prefix_filter = ["nomad.raft"]')).toContain(
    "Filter rule must begin with either '+' or '-': \"nomad.raft\"",
  );
  const interval = 'in_memory_collection_interval = "2m"';
  expect(first(interval)).toContain(
    "telemetry block invalid: telemetry in-memory collection interval cannot be greater than",
  );
  expect(first('in_memory_retention_period = "-1s"')).toContain("must be greater than zero");
  expect(first('datadog_address = "nowhere"')).toContain("must be host:port");
  expect(first('statsd_adress = "a:1"')).toContain('unknown key "statsd_adress"');
});

test("a collector without a port is a warning, as nothing is sent there", () => {
  const text = block('statsd_address = "statsd"\ndatadog_address = "unix:///run/dsd.sock"');
  expect(errors(text)).toEqual([]);
  expect(warnings(text)[0]).toContain("has no port: nothing is sent there");
  expect(read(text).config?.telemetry.statsdAddress).toBeUndefined();
  expect(read(text).config?.telemetry.datadogAddress).toBe("unix:///run/dsd.sock");
});

test("Circonus, and what belongs to jobs, is named as without an effect", () => {
  const text = block('circonus_api_token = "t"\npublish_allocation_metrics = true');
  expect(warnings(text)[0]).toContain("telemetry.circonus_api_token");
  expect(warnings(text)[0]).toContain("telemetry.publish_allocation_metrics");
});
