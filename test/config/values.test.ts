/** What values mean: nothing, negative, unknown, at the wrong place, and over several files. */
import { describe, expect, test } from "bun:test";
import { changedSettings } from "../../src/config/changes.ts";
import {
  IGNORED_CLIENT,
  IGNORED_SERVER,
  IGNORED_TELEMETRY,
  IGNORED_TOP,
  type IgnoredKeys,
} from "../../src/config/ignored.ts";
import { errors, read, warnings } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';

test("an empty text, and 0 where Nomad takes it for nothing, is the default", () => {
  const { config, problems } = read(`data_dir = "/x"
name = ""
region = ""
datacenter = ""
bind_addr = ""
log_level = ""
log_file = ""
ports { http = 0, rpc = 0 }
addresses { http = "" }
server {
  enabled = true
  encrypt = ""
  data_dir = ""
  retry_interval = ""
  heartbeat_grace = "0s"
  max_heartbeats_per_second = 0
  raft_multiplier = 0
}
tls { tls_min_version = "", tls_cipher_suites = "", ca_file = "" }
telemetry { collection_interval = "" }
limits { rpc_handshake_timeout = "" }
autopilot { last_contact_threshold = "", max_trailing_logs = 0 }
client { node_pool = "" }
`);
  expect(problems).toEqual([]);
  const plain = read(SERVER).config;
  if (config === undefined || plain === undefined) throw new Error("refused");
  expect(changedSettings(plain, config, ["tls.at"])).toEqual([]);
});

test("what is not empty, and not that either, is a mistake", () => {
  for (const [text, expected] of [
    [
      'server {\n  bootstrap_expect = ""\n}',
      "2:22 server.bootstrap_expect: must be a whole number",
    ],
    ['leave_on_interrupt = ""', "1:22 leave_on_interrupt: must be true or false"],
    ["server {\n  heartbeat_grace = 30\n}", "2:21 server.heartbeat_grace: must be a duration"],
    ["server {\n  raft_trailing_logs = 0\n}", "2:24 server.raft_trailing_logs: must be between 1"],
    ["ports {\n  http = -1\n}", "2:10 ports.http: must be between 1 and 65535, found -1"],
    ['server {\n  retry_join = "a"\n}', "2:16 server.retry_join: must be a list of strings"],
    ['server {\n  retry_join = [["a"]]\n}', "2:17 server.retry_join: must be a list of strings"],
    [
      'client {\n  meta {\n    a = ["x"]\n  }\n}',
      "3:9 every value in client.meta must be a string",
    ],
    ["server = [{}]", '1:1 "server" must be a block'],
    ["tls = 5", '1:1 "tls" must be a block'],
    [
      'server {\n  max_heartbeats_per_second = "5"\n}',
      "2:31 server.max_heartbeats_per_second: must be a number",
    ],
    [
      "server {\n  plan_apply_pipeline = true\n}",
      "2:25 server.plan_apply_pipeline: must be a whole number",
    ],
    [
      'server {\n  enabled_schedulers = "batch"\n}',
      "2:24 server.enabled_schedulers: must be a list",
    ],
    ["acl {\n  enabledd = true\n}", '2:3 unknown key "enabledd" in block "acl"'],
    ["log_rotate_bytes = 1.5", "1:20 log_rotate_bytes: must be a whole number, found 1.5"],
    [
      "tls {\n  tls_prefer_server_cipher_suites = true\n}",
      "2:37 tls.tls_prefer_server_cipher_suites: was removed",
    ],
    ['client {\n  gc_interval = "5 minutes"\n}', "2:17 client.gc_interval: must be a duration"],
    ["acl {\n  token_ttl = 30\n}", "2:15 acl.token_ttl: must be a duration"],
    ["server {\n  raft_protocol = 2\n}", "2:19 server.raft_protocol: must be 3"],
    ['plugin_dir = "x"', "1:14 plugin_dir: must be an absolute path"],
  ] as const) {
    expect(errors(text).join("\n")).toContain(expected);
  }
});

test("a mistake is said once, whoever asks for the block", () => {
  const found = errors("server = true\nadvertise = true\n").filter((one) => /block/.test(one));
  expect(found).toEqual([
    '1:1 "server" must be a block: server { ... }',
    '2:1 "advertise" must be a block: advertise { ... }',
  ]);
});

test("a key in the wrong block is told where it goes", () => {
  for (const [text, block] of [
    ['encrypt = ""', "server"],
    ["bootstrap_expect = 3", "server"],
    ['server { ca_file = "/x" }', "tls"],
    ['node_class = "x"', "client"],
    ['eval_gc_threshold = "1h"', "server"],
    ['tls { statsd_address = "x" }', "telemetry"],
    ["rpc_max_conns_per_client = 50", "limits"],
  ]) {
    const help = read(`${SERVER}${text}`).problems.map((one) => one.help);
    expect(help).toEqual([`it belongs into the block "${block}"`]);
  }
});

test("what a cloud would be asked with is passed over, with a warning, and is kept nowhere", () => {
  const cloud =
    '"provider=aws tag_key=a secret_access_key=hush", "exec=/bin/hush", "x=1 provider=gce"';
  for (const [text, name] of [
    [`server { server_join { retry_join = [${cloud}, "10.0.0.1"] } }`, "server.server_join"],
    [`server { retry_join = ["10.0.0.1", ${cloud}] }`, "server"],
    [`client { server_join { retry_join = [${cloud}, "10.0.0.1"] } }`, "client.server_join"],
  ]) {
    const { config, problems, shown } = read(`${SERVER}${text}`);
    expect(problems.map((one) => one.message)).toEqual([
      `${name}.retry_join: this agent asks no cloud for addresses (provider=, exec=): ` +
        "list the servers' own; these are passed over",
    ]);
    expect(JSON.stringify(config)).toContain("10.0.0.1");
    expect(JSON.stringify(config) + shown).not.toContain("hush");
  }
});

test("negative numbers where Nomad takes them", () => {
  const { config, problems } = read(`${SERVER}server {
  bootstrap_expect = -3
  max_heartbeats_per_second = -1
  heartbeat_grace = "-5s"
  server_join { retry_max = -1, retry_interval = "-1s" }
}
autopilot { max_trailing_logs = -1, min_quorum = -2 }`);
  expect(problems).toEqual([]);
  expect(config?.server).toMatchObject({
    bootstrapExpect: 0,
    heartbeat: { maxPerSecond: -1, graceMs: -5000 },
    // For ever, and never without a pause.
    join: { retryMax: 0, retryIntervalMs: 100 },
  });
  expect(config?.autopilot).toMatchObject({ maxTrailingLogs: 2 ** 32 - 1, minQuorum: 2 ** 32 - 1 });
});

describe("keys of Nomad's without an effect here", () => {
  const VALUES = {
    text: '"x"',
    duration: '"1s"',
    flag: "true",
    int: "1",
    float: "1.5",
    list: '["a"]',
    any: "{}",
  };
  const lines = (keys: IgnoredKeys): string =>
    Object.entries(keys)
      .map(([key, kind]) => {
        const value = typeof kind === "object" ? `{\n${lines(kind)}\n}` : VALUES[kind];
        return `${key} = ${value}`;
      })
      .join("\n");
  const blocks: readonly (readonly [string, IgnoredKeys])[] = [
    ["", IGNORED_TOP],
    ["server", IGNORED_SERVER],
    ["client", IGNORED_CLIENT],
    ["telemetry", IGNORED_TELEMETRY],
  ];
  for (const [block, keys] of blocks) {
    test(`are known in ${block || "the file"}, and one warning names them`, () => {
      // ACLs are refused, by themselves.
      const body = lines(keys).replace("enabled = {}", "enabled = false");
      const text = block === "" ? body : `${block} {\n${body}\n}`;
      expect(errors(`${SERVER}${text}`)).toEqual([]);
      const [warning, ...others] = warnings(`${SERVER}${text}`);
      expect(others).toEqual([]);
      expect(warning).toStartWith("these keys of Nomad's have no effect in this agent: ");
      for (const key of Object.keys(keys)) expect(warning).toContain(key);
    });
  }
});

test("keys that Nomad drops where they do not belong: a warning that names where they do", () => {
  const text = `${SERVER}server_join {
}
servers = ["a"]
meta {
  a = "b"
}
client {
  wait {
  }
}
server {
  preemption_config {
  }
}`;
  const { config } = read(text);
  expect(config?.client.servers).toEqual([]);
  expect(config?.client.meta).toEqual({});
  expect(warnings(text).sort()).toEqual([
    '12:3 "wait" has no effect here: it belongs into the block "client.template"',
    '16:3 "preemption_config" has no effect here: it belongs into the block "server.default_scheduler_config"',
    '5:1 "server_join" has no effect here: it belongs into the block "server"',
    '7:1 "servers" has no effect here: it belongs into the block "client"',
    '8:1 "meta" has no effect here: it belongs into the block "client"',
  ]);
});

describe("over files", () => {
  test("lists of addresses grow, those of server_join are replaced, maps merge", () => {
    const { config, problems } = read(
      `${SERVER}server {\n  server_join {\n    retry_join = ["a"]\n    retry_max = 3\n  }\n}
       client {\n  servers = ["a"]\n  meta {\n    a = "1"\n    b = "1"\n  }\n}`,
      `server {\n  server_join {\n    retry_join = ["b"]\n  }\n}
       client {\n  servers = ["b"]\n  meta {\n    b = ""\n  }\n}`,
      "server {\n  server_join {\n    retry_join = []\n  }\n}",
    );
    expect(problems).toEqual([]);
    expect(config?.server.join).toMatchObject({ retryJoin: ["b"], retryMax: 3 });
    expect(config?.client).toMatchObject({ servers: ["a", "b"], meta: { a: "1", b: "" } });
  });

  test("switches of TLS and of encryption stay on", () => {
    const { config, problems } = read(
      `${SERVER}server {\n  encrypt = "cg8StVXbQJ0gPvMd9o7yrg=="\n}
tls {\n  rpc = true\n  http = true\n  verify_server_hostname = true\n}`,
      'server {\n  encrypt = ""\n}\ntls {\n  rpc = false\n  http = "0"\n  verify_server_hostname = false\n}',
    );
    expect(config?.tls).toMatchObject({ rpc: true, http: true, verifyServerHostname: true });
    expect(config?.server.encrypt).toBeDefined();
    expect(problems).toHaveLength(1);
    for (const [name, place] of [
      ["server.encrypt", "b.hcl:2:13 (a.hcl:6:13 stays"],
      ["tls.rpc", "b.hcl:5:9 (a.hcl:9:9 stays"],
      ["tls.http", "b.hcl:6:10 (a.hcl:10:10 stays"],
      ["tls.verify_server_hostname", "b.hcl:7:28 (a.hcl:11:28 stays"],
    ]) {
      expect(problems[0]?.message).toContain(`${name} at ${place}`);
    }
  });
});

describe("rules about several settings", () => {
  test("a client needs data_dir, or says where all is that would be below it", () => {
    expect(errors("client {\n  enabled = true\n}")[0]).toContain(
      "Must specify the state, alloc-dir",
    );
    const paths = 'state_dir = "/a"\nalloc_dir = "/b"\nalloc_mounts_dir = "/c"';
    expect(errors(`plugin_dir = "/p"\nclient {\n  enabled = true\n${paths}\n}`)).toEqual([]);
    expect(errors(`client {\n  enabled = true\n${paths}\n}`)).toHaveLength(1);
    expect(errors('data_dir = "/x"\nclient {\n  enabled = true\n}')).toEqual([]);
  });

  test("node pools have Nomad's names", () => {
    const pool = (name: string) => errors(`${SERVER}client {\n  node_pool = "${name}"\n}`);
    for (const name of ["default", "gpu-1_B", "a".repeat(128)]) expect(pool(name)).toEqual([]);
    for (const name of ["a b", "a".repeat(129), "é", "a.b"]) {
      expect(pool(name)[0]).toStartWith("6:15 client.node_pool: must be 1 to 128");
    }
    expect(pool("all")[0]).toContain('node is not allowed to register in node pool "all"');
  });

  test("what a client tells of its machine, keeps for itself and does at its end", () => {
    const { config } = read(`${SERVER}client {
      network_interface = "eth1"
      preferred_address_family = "IPv6"
      network_speed = 25000
      cpu_total_compute = 4000
      reserved {
        cpu = 500
        memory = 256
        disk = 1024
        reserved_ports = "22, 80,8500-8600"
      }
      host_volume "Data" {
        path = "/srv/data"
      }
      host_volume "certs" {
        path = "/srv/certs"
        read_only = true
      }
      default_ineligible = true
      drain_on_shutdown {
        deadline = "1h"
        force = true
      }
      no_host_uuid = false
    }`);
    expect(config?.client).toMatchObject({
      ...{ networkInterface: "eth1", preferredAddressFamily: "ipv6", networkSpeed: 25_000 },
      ...{ cpuTotalCompute: 4000, memoryTotalMb: 0, defaultIneligible: true },
      ...{ drainOnShutdown: true, noHostUuid: false },
      reserved: { cpuMhz: 500, memoryMb: 256, diskMb: 1024, ports: "22, 80,8500-8600" },
      hostVolumes: [
        { name: "Data", path: "/srv/data", readOnly: false },
        { name: "certs", path: "/srv/certs", readOnly: true },
      ],
    });
    expect(read(SERVER).config?.client).toMatchObject({
      ...{ enabled: false, drainOnShutdown: false, noHostUuid: true, hostVolumes: [] },
    });
  });

  test("mistakes in a client's machine", () => {
    const client = (inner: string) => errors(`${SERVER}client {\n${inner}\n}`);
    expect(client('preferred_address_family = "ipx"')[0]).toContain("must be one of ipv4, ipv6");
    expect(client('reserved { reserved_ports = "http" }')[0]).toContain("22,80,8500-8600");
    expect(client('host_volume "a" { path = "data" }')[0]).toContain("must be an absolute path");
    expect(client('host_volume "a" {}')[0]).toContain("client.host_volume.a.path: must be");
    const typo = client('host_volume "a" {\n paht = "/a"\n}').join();
    expect(typo).toContain('unknown key "paht" in block "client.host_volume.a"');
  });

  test("keys of a client's meta have no stray dots", () => {
    const meta = (key: string) =>
      `${SERVER}client {\n  enabled = true\n  meta {\n    "${key}" = "x"\n  }\n}`;
    expect(errors(meta("a.b"))).toEqual([]);
    for (const key of [".a", "a.", "a..b", ""]) expect(errors(meta(key))).toHaveLength(1);
  });

  test("what cannot be a header is left out, with a warning", () => {
    const text = `${SERVER}http_api_response_headers {\n  X-A = "a\\nb"\n  "no name" = "x"\n  X-B = "日"\n}`;
    expect(read(text).config?.httpApiResponseHeaders).toEqual({ "X-A": "a b" });
    expect(warnings(text)).toEqual([
      "5:27 http_api_response_headers: has names or values that cannot be sent in a header, and are not",
    ]);
  });

  test("server_join beside the older keys, where it says nothing about whom to join", () => {
    const text = `${SERVER}server {
  start_join = ["a"]
  retry_interval = "5s"
  server_join {
    start_join = ["b"]
    retry_max = 4
  }
}`;
    expect(errors(text)).toEqual([]);
    expect(read(text).config?.server.join).toEqual({
      startJoin: ["a", "b"],
      retryJoin: [],
      retryIntervalMs: 5000,
      retryMax: 4,
    });
    const both = `${SERVER}server {\n  server_join {\n    retry_join = ["a"]\n    start_join = ["b"]\n  }\n}`;
    expect(errors(both)[0]).toContain("retry_join and start_join cannot both be defined");
  });

  test("blocks with labels of which there are several, and keys that Nomad does not look at", () => {
    const text = `${SERVER}client {
  host_volume "a" {
    path = "/a"
  }
  host_volume "b" {
    path = "/b"
  }
  host_network "x" {
  }
  host_network "y" {
  }
}
http_api_response_headers {
  A = "1"
}
http_api_response_headers {
  B = "2"
}
limits {
  foo = 1
}`;
    expect(errors(text)).toEqual([]);
    expect(read(text).config?.httpApiResponseHeaders).toEqual({ A: "1", B: "2" });
    expect(warnings(text)[0]).toStartWith(
      '24:3 unknown key "foo" in block "limits": it has no effect',
    );
  });

  test("client.stats, which Nomad passes over, and an empty block for an empty list", () => {
    const text = `${SERVER}client {\n  stats {\n    x = 1\n  }\n  servers = {}\n}\nserver {\n  enabled_schedulers {}\n}`;
    expect(errors(text)).toEqual([]);
  });

  test("bootstrap_expect in a file of an agent that is no server means nothing", () => {
    const text =
      'data_dir = "/x"\nserver {\n  bootstrap_expect = 3\n}\nclient {\n  enabled = true\n}';
    expect(errors(text)).toEqual([]);
  });
});

test("mistakes are told up to a number, and a line up to a width", () => {
  const many = read("x = 1\n".repeat(500)).shown;
  expect(many.match(/error: /g)).toHaveLength(20);
  expect(many).toContain("… and ");
  // Errors before warnings, where there is no room for all; and all in the order of the files.
  const unknown = Array.from({ length: 30 }, (_, i) => `  x${"y".repeat(i)} = 1`);
  const { shown } = read(`limits {\n${unknown.join("\n")}\n}`, 'region = "*"\ndatacenter = "*"');
  expect(shown).toContain("b.hcl:2:14");
  expect(shown.indexOf("a.hcl")).toBeLessThan(shown.indexOf("b.hcl"));
  const long = read(`regoin = ["${"a".repeat(3000)}"], regoin = 1`).shown;
  for (const line of long.split("\n")) expect(line.length).toBeLessThan(220);
});

test("control characters are shown escaped", () => {
  const { shown } = read('log_level = "a\\u001b[31m\\u202e"');
  expect(shown).toContain('found "a\\u001b[31m\\u202e"');
});
