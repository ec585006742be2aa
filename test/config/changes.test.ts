/** Two configurations, and the operator's names for what differs. */
import { expect, test } from "bun:test";
import { changedSettings } from "../../src/config/changes.ts";
import type { Config } from "../../src/config/config.ts";
import { read } from "./read.ts";

const BASE = 'data_dir = "/x"\nname = "n"\n';

function configOf(text: string): Config {
  const { config, shown } = read(`${BASE}${text}`);
  if (config === undefined) throw new Error(shown);
  return config;
}

const KEY = (letter: string): string => Buffer.from(letter.repeat(16)).toString("base64");

test("settings are named as they are written, their values are not told", () => {
  const before = configOf(`server {\n enabled = true\n encrypt = "${KEY("a")}"\n}`);
  const after = configOf(`
    region = "eu"
    ports { http = 5646 }
    advertise { rpc = "10.0.0.1" }
    limits { rpc_handshake_timeout = "9s" }
    telemetry { collection_interval = "9s" }
    http_api_response_headers { X-One = "1" }
    leave_on_interrupt = true
    server {
      enabled = true
      encrypt = "${KEY("b")}"
      bootstrap_expect = 3
      retry_join = ["10.0.0.2"]
      retry_interval = "9s"
      heartbeat_grace = "9s"
      max_heartbeats_per_second = 9
      min_heartbeat_ttl = "9s"
      failover_heartbeat_ttl = "9s"
      non_voting_server = true
      raft_multiplier = 2
    }`);
  const names = changedSettings(before, after, []);
  expect(names).toEqual([
    "advertise.rpc",
    "http_api_response_headers",
    "leave_on_interrupt",
    "limits.rpc_handshake_timeout",
    "ports.http",
    "region",
    "server.bootstrap_expect",
    "server.encrypt",
    "server.failover_heartbeat_ttl",
    "server.heartbeat_grace",
    "server.max_heartbeats_per_second",
    "server.min_heartbeat_ttl",
    "server.non_voting_server",
    "server.raft_multiplier",
    "server.retry_interval",
    "server.retry_join",
    "telemetry.collection_interval",
  ]);
  expect(changedSettings(before, before, [])).toEqual([]);
  expect(changedSettings(after, before, ["server", "ports"])).toHaveLength(6);
});

test("a key that was not there is a change, and where settings stand is none", () => {
  const none = configOf("server { enabled = true }");
  const key = configOf(`# moved\n\nserver {\n encrypt = "${KEY("a")}"\n enabled = true\n}`);
  expect(changedSettings(none, key, [])).toEqual(["server.encrypt"]);
  expect(changedSettings(none, configOf("\n\nserver {\n enabled = true\n}"), [])).toEqual([]);
});
