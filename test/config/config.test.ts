import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { outlineHcl } from "../../src/config/hcl-outline.ts";
import { isFault } from "../../src/config/outline.ts";
import { nearest } from "../../src/config/suggest.ts";
import { formatDurationMs, parseDurationMs } from "../../src/wire/duration.ts";
import { errors, read } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';

describe("HCL", () => {
  test("the file of Nomad's documentation", () => {
    const { config, problems } = read(`
      # Increase log verbosity
      log_level = "DEBUG"
      // Setup data dir
      data_dir = "/tmp/server1"
      /* Give the agent a unique name */
      name = "server1"
      server {
        enabled = true
        # Self-elect, should be 3 or 5 for production
        bootstrap_expect = 1
        encrypt = "cg8StVXbQJ0gPvMd9o7yrg=="
      }
      tls {
        http = true
        rpc  = true
        ca_file   = "nomad-agent-ca.pem"
        cert_file = "global-server-nomad.pem"
        key_file  = "global-server-nomad-key.pem"
        verify_server_hostname = true
        verify_https_client    = true
      }
    `);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      logLevel: "DEBUG",
      dataDir: "/tmp/server1",
      name: "server1",
      region: "global",
      datacenter: "dc1",
      ports: { http: 4646, rpc: 4647, serf: 4648 },
      server: { enabled: true, bootstrapExpect: 1 },
      tls: { http: true, rpc: true, verifyServerHostname: true, verifyHttpsClient: true },
    });
    expect(config?.server.encrypt?.bytes.length).toBe(16);
  });

  test("later files win, lists of addresses grow, maps merge", () => {
    const { config } = read(
      `${SERVER}region = "eu"\nclient {\n  meta {\n    a = "1"\n    b = "1"\n  }\n}`,
      'region = "us"\nserver {\n  retry_join = ["a"]\n}\nclient {\n  meta {\n    b = "2"\n  }\n}',
      'server {\n  enabled = true\n  retry_join = ["b"]\n}',
      '{"leave_on_terminate": true, "server": {"retry_interval": "5s"}}',
    );
    expect(config?.region).toBe("us");
    expect(config?.server.join.retryJoin).toEqual(["a", "b"]);
    expect(config?.server.join.retryIntervalMs).toBe(5000);
    expect(config?.client.meta).toEqual({ a: "1", b: "2" });
    expect(config?.leaveOnTerminate).toBe(true);
  });

  test("a later file takes nothing back, and is told so, once", () => {
    const { config, problems } = read(
      `${SERVER}leave_on_terminate = true\nserver {\n  encrypt = "cg8StVXbQJ0gPvMd9o7yrg=="\n}`,
      'leave_on_terminate = false\nserver {\n  encrypt = ""\n}\nports {\n  http = 0\n}\nname = ""',
    );
    expect(config?.leaveOnTerminate).toBe(true);
    expect(config?.server.encrypt).toBeDefined();
    expect(problems).toHaveLength(1);
    const [{ message, at } = { message: "", at: undefined }] = problems;
    expect(at).toMatchObject({ file: "b.hcl", line: 3, column: 13 });
    expect(message).toContain("server.encrypt at b.hcl:3:13 (a.hcl:7:13 stays in force)");
    expect(message).toContain("leave_on_terminate at b.hcl:1:22 (a.hcl:5:22 stays in force)");
    expect(message).not.toContain("ports");
  });

  test("what is a pointer in Nomad, or a key of ours, can be taken back", () => {
    const { config, problems } = read(
      `${SERVER}autopilot {\n  cleanup_dead_servers = true\n}\nlimits {\n  http_max_conns_per_client = 7\n}`,
      "autopilot {\n  cleanup_dead_servers = false\n}\nlimits {\n  http_max_conns_per_client = 0\n}",
      "telemetry {\n  prometheus_metrics = false\n}",
    );
    expect(problems).toEqual([]);
    expect(config?.autopilot.cleanupDeadServers).toBe(false);
    expect(config?.limits.httpMaxConnsPerClient).toBe(0);
    expect(config?.telemetry.prometheusMetrics).toBe(false);
  });

  test("keys of Nomad's without a meaning here are one warning", () => {
    const { config, problems } = read(
      `${SERVER}vault {\n  enabled = true\n}\nplugin "raw_exec" {\n}`,
    );
    expect(config).toBeDefined();
    expect(problems.map((problem) => [problem.severity, problem.message])).toEqual([
      ["warning", "these keys of Nomad's have no effect in this agent: plugin, vault"],
    ]);
  });
});

describe("mistakes have a line and a column", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["no value", "server {\n  enabled = \n}", '2:11 expected a value after "=", found "}"'],
    ["an open block", "server {\n  enabled = true\n", "1:8 the block that begins here is never"],
    ["set twice", 'region = "a"\nregion = "b"', '2:1 "region" is set a second time (first at 1:1)'],
    ["single quotes", "region = 'x'", "1:10 Invalid character"],
    ["unknown key", `${SERVER}regoin = "x"`, '5:1 unknown key "regoin"'],
    [
      "unknown in a block",
      "server {\n  enabld = true\n}",
      '2:3 unknown key "enabld" in block "server"',
    ],
    [
      "wrong type",
      'server {\n  bootstrap_expect = "x"\n}',
      "2:22 server.bootstrap_expect: must be a whole",
    ],
    [
      "duration",
      'limits {\n  rpc_handshake_timeout = "5 x"\n}',
      "2:27 limits.rpc_handshake_timeout: must be a duration",
    ],
    ["log level", 'log_level = "LOUD"', "1:13 log_level: must be one of TRACE"],
    ["octal", "ports {\n  http = 0189\n}", "2:10 a number that starts with a zero is octal"],
    ["bare word", "region = eu", "1:10 a value without quotes"],
    ["interpolation", 'region = "a${env.X}"', "1:12 ${ } is not evaluated"],
    ["relative data_dir", 'data_dir = "x"', '1:12 data_dir: must be an absolute path, found "x"'],
    ["port twice", "ports {\n  http = 1\n  rpc = 1\n}", "3:9 ports.rpc: port 1 is also ports.http"],
    [
      "cipher",
      'tls {\n  tls_cipher_suites = "TLS_X"\n}',
      '2:23 tls.tls_cipher_suites: unsupported TLS cipher "TLS_X"',
    ],
    [
      "both joins",
      'server {\n  retry_join = ["a"]\n  server_join {\n    retry_join = ["b"]\n  }\n}',
      "2:16 server_join and retry_join cannot both be defined",
    ],
    ["JSON comma", '{"server": {},,}', "1:15 invalid JSON: expected a key in double quotes"],
    ["JSON key", '{"regoin": "x"}', '1:2 unknown key "regoin"'],
  ];
  for (const [name, text, expected] of cases) {
    test(name, () => {
      const found = errors(text);
      expect(found.find((error) => error.startsWith(expected))).toBeDefined();
    });
  }

  test("all at once, not one per run", () => {
    const found = errors(
      'regoin = "x"\nlog_level = "LOUD"\nserver {\n  enabld = true\n  retry_max = -1\n}',
    );
    expect(found.length).toBeGreaterThanOrEqual(4);
  });

  test("the nearest known key is named", () => {
    expect(nearest("enabld", ["enabled", "encrypt"])).toBe("enabled");
    expect(nearest("regoin", ["region", "name"])).toBe("region");
    expect(nearest("banana", ["region", "name"])).toBeUndefined();
  });

  test("the offending line is shown, a secret in it is not", () => {
    const { shown } = read('server {\n  encrypt = "c2VjcmV0"\n}\n');
    expect(shown).toContain("2 |   encrypt = **********");
    expect(shown).toContain("a.hcl:2:13");
    expect(shown).not.toContain("c2VjcmV0");
  });
});

describe("the gossip key", () => {
  const keyError = (key: string): string | undefined =>
    errors(`server {\n  encrypt = "${key}"\n}`).find((error) => error.includes("server.encrypt"));
  for (const bytes of [16, 24, 32]) {
    test(`${bytes} bytes are fine`, () => {
      expect(keyError(Buffer.alloc(bytes, 7).toString("base64"))).toBeUndefined();
    });
  }
  test("the steps towards gossip encryption, and a label", () => {
    const { config } = read(SERVER);
    expect(config?.server).toMatchObject({
      encryptVerifyIncoming: true,
      encryptVerifyOutgoing: true,
      gossipLabel: "",
    });
    const migrating = 'server {\n  encrypt_verify_incoming = false\n  gossip_label = "blue"\n}';
    expect(read(SERVER, migrating).config?.server).toMatchObject({
      encryptVerifyIncoming: false,
      encryptVerifyOutgoing: true,
      gossipLabel: "blue",
    });
    const [deaf] = errors("server {\n  encrypt_verify_outgoing = false\n}");
    expect(deaf).toStartWith("2:");
    expect(deaf).toContain("agents with these settings refuse each other");
    const [long] = errors(`server {\n  gossip_label = "${"é".repeat(128)}"\n}`);
    expect(long).toContain("at most 255 bytes, found 256");
  });
  test("anything else says what was found", () => {
    expect(keyError(Buffer.alloc(15).toString("base64"))).toContain("found base64 of 15 bytes");
    expect(keyError(Buffer.alloc(1).toString("base64"))).toContain("found base64 of 1 byte");
    expect(keyError("not base64!")).toContain("found 11 characters that are not base64");
  });
});

test("durations both ways", () => {
  expect(["1h30m", "500ms", "1.5s", "0", "2m"].map(parseDurationMs)).toEqual([
    5_400_000, 500, 1500, 0, 120_000,
  ]);
  expect(["", "5", "5 s", "x", "1h 2m"].map(parseDurationMs)).toEqual(Array(5).fill(undefined));
  expect([0, 500, 90_000, 3_600_000].map(formatDurationMs)).toEqual([
    "0s",
    "500ms",
    "1m30s",
    "1h0m0s",
  ]);
});

test("the lexer always ends, with an outline or with one fault that has its place", () => {
  const piece = fc.constantFrom(
    ..."\"{}=[]\na#,\\0'-.\r<",
    "<<EOF\n",
    "EOF\n",
    "/*",
    "*/",
    "${",
    "\\x41",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
      const text = pieces.join("");
      const outline = outlineHcl(text);
      if (!isFault(outline)) return;
      expect(outline.at).toBeGreaterThanOrEqual(0);
      expect(outline.at).toBeLessThanOrEqual(text.length);
    }),
  );
});

describe("who may come, and the keys that sign who a node is", () => {
  const block = (text: string): string => SERVER.replace(/\}\s*$/, `${text}\n}`);

  test("Nomad's defaults", () => {
    const { server } = read(SERVER).config ?? {};
    expect(server?.introduction).toEqual({
      ...{ enforcement: "warn", defaultLifetimeMs: 300_000, maxLifetimeMs: 1_800_000 },
    });
    expect(server?.signingKeys).toEqual({
      ...{ rotationMs: 720 * 3_600_000, graceMs: 3_600_000, intervalMs: 600_000 },
    });
  });

  test("as an operator sets them", () => {
    const { config, problems } = read(
      block(`client_introduction {
  enforcement = "Strict"
  default_identity_ttl = "1m"
  max_identity_ttl = "2m"
}
root_key_rotation_threshold = "24h"
root_key_gc_interval = "1ms"`),
    );
    expect(problems).toEqual([]);
    expect(config?.server.introduction).toEqual({
      ...{ enforcement: "strict", defaultLifetimeMs: 60_000, maxLifetimeMs: 120_000 },
    });
    expect(config?.server.signingKeys).toMatchObject({ rotationMs: 86_400_000, intervalMs: 1000 });
  });

  test("mistakes have a place, and a default beyond the maximum is a warning", () => {
    const wrong = read(block('client_introduction {\n  enforcement = "stricct"\n  ttl = "1m"\n}'));
    expect(wrong.config).toBeUndefined();
    expect(wrong.shown).toContain('did you mean "strict"?');
    expect(wrong.shown).toContain('unknown key "ttl" in block "server.client_introduction"');
    const negative = read(block('root_key_rotation_threshold = "-1h"'));
    expect(negative.shown).toContain("root_key_rotation_threshold");
    const long = read(block('client_introduction {\n  default_identity_ttl = "2h"\n}'));
    expect(long.config).toBeDefined();
    expect(long.shown).toContain("is longer than max_identity_ttl");
  });
});

describe("autopilot and heartbeats", () => {
  test("Nomad's defaults", () => {
    const { config, problems } = read(SERVER);
    expect(problems).toEqual([]);
    expect(config?.autopilot).toEqual({
      cleanupDeadServers: true,
      lastContactThresholdMs: 200,
      maxTrailingLogs: 250,
      minQuorum: 0,
      serverStabilizationTimeMs: 10_000,
      enableRedundancyZones: false,
      disableUpgradeMigration: false,
      enableCustomUpgrades: false,
    });
    expect(config?.server.heartbeat).toEqual({
      graceMs: 10_000,
      minTtlMs: 10_000,
      maxPerSecond: 50,
      failoverTtlMs: 300_000,
    });
  });

  test("are read, and what is not set keeps its default", () => {
    const { config, problems } = read(`data_dir = "/x"
server {
  enabled = true
  heartbeat_grace = "30s"
  max_heartbeats_per_second = 0.5
}
autopilot {
  cleanup_dead_servers = false
  last_contact_threshold = "500ms"
  min_quorum = 3
}`);
    expect(problems).toEqual([]);
    const autopilot = { cleanupDeadServers: false, lastContactThresholdMs: 500, minQuorum: 3 };
    expect(config?.autopilot).toMatchObject({ ...autopilot, maxTrailingLogs: 250 });
    const heartbeat = { graceMs: 30_000, maxPerSecond: 0.5, minTtlMs: 10_000 };
    expect(config?.server.heartbeat).toMatchObject(heartbeat);
  });

  test("mistakes have their place", () => {
    const found = errors(`data_dir = "/x"
server {
  enabled = true
  max_heartbeats_per_second = "50"
  min_heartbeat_ttl = 10
}
autopilot {
  min_quorum = "three"
  max_trailing_log = 5
}`);
    expect(found).toEqual([
      "5:23 server.min_heartbeat_ttl: must be a duration such as 30s, 500ms or 1h30m, found 10",
      '4:31 server.max_heartbeats_per_second: must be a number, found "50"',
      '8:16 autopilot.min_quorum: must be a whole number, found "three"',
      '9:3 unknown key "max_trailing_log" in block "autopilot"',
    ]);
  });
});
