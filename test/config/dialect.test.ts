/** HCL 1 and its JSON in every spelling that Nomad's agent reads. */
import { describe, expect, test } from "bun:test";
import { parseInProcess } from "../../src/config/hcl-parser.ts";
import { errors, read } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';
const meta = (body: string) =>
  read(`${SERVER}client {\n  meta {\n${body}\n  }\n}`).config?.client.meta;

describe("HCL", () => {
  test("keys: dotted, quoted, with dashes, in another case, of other letters", () => {
    expect(
      meta('a.b = "1"\n"c.d" = "2"\nmy-key = "3"\n"a b" = "4"\nключ = "5"\n"t\\tb" = "6"'),
    ).toEqual({
      "a.b": "1",
      "c.d": "2",
      "my-key": "3",
      "a b": "4",
      ключ: "5",
      "t\tb": "6",
    });
    expect(
      read(`${SERVER}"REGION" = "eu"\nTls {\n  Tls_Min_Version = "tls13"\n}`).config,
    ).toMatchObject({
      region: "eu",
      tls: { minVersion: "tls13" },
    });
  });

  test("names that objects have by themselves are keys like others", () => {
    const found = meta('__proto__ = "a"\nconstructor = "b"\ntoString = "c"');
    expect(Object.entries(found ?? {})).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
      ["toString", "c"],
    ]);
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(errors(`${SERVER}${name} = "x"`)[0]).toStartWith("5:1 unknown key");
      expect(errors(`{"${name}": 1}`).join()).toContain("1:2 unknown key");
    }
  });

  test("separators: commas, several in a line, braces anywhere", () => {
    const text = `data_dir = "/x", server { enabled = true, bootstrap_expect = 3 }, ports {
      http = 1, rpc = 2
      serf = 3 }
      limits = { rpc_max_conns_per_client = 50, }
      region = "eu" datacenter = "d"`;
    expect(read(text).config).toMatchObject({
      region: "eu",
      datacenter: "d",
      ports: { http: 1, rpc: 2, serf: 3 },
      server: { enabled: true, bootstrapExpect: 3 },
      limits: { rpcMaxConnsPerClient: 50 },
    });
  });

  test("a key twice: in a map and in limits the last one counts, elsewhere it is a mistake", () => {
    expect(meta('a = "1"\na = "2"')).toEqual({ a: "2" });
    const limits = "limits {\n  http_max_conns_per_client = 5\n  http_max_conns_per_client = 6\n}";
    expect(read(`${SERVER}${limits}`).config?.limits.httpMaxConnsPerClient).toBe(6);
    expect(errors(`${SERVER}ports {\n  http = 5\n  http = 6\n}`)[0]).toStartWith(
      '7:3 "ports.http" is set a second time (first at 6:3)',
    );
  });

  test("a block twice is merged: the last value counts, lists grow", () => {
    const text = `${SERVER}server {
      retry_join = ["a"]
      bootstrap_expect = 3
    }
    server {
      bootstrap_expect = 0
      retry_join = ["b"]
    }
    telemetry { disable_hostname = true }
    telemetry { prometheus_metrics = false }`;
    const { config, problems } = read(text);
    expect(problems).toEqual([]);
    expect(config?.server.bootstrapExpect).toBe(0);
    expect(config?.server.join.retryJoin).toEqual(["a", "b"]);
    expect(config?.telemetry).toMatchObject({ disableHostname: true, prometheusMetrics: false });
    expect(errors(`${SERVER}tls {\n}\ntls {\n}`)[0]).toStartWith('7:1 "tls" is set a second time');
  });

  test("labels are keys of their own, beside blocks without", () => {
    const text = `${SERVER}client "meta" {\n  a = "1"\n}\nclient {\n  node_class = "x"\n}
      server "server_join" {\n  retry_join = ["j"]\n}
      plugin "docker" {\n}\nplugin {\n}\nplugin "docker" {\n}`;
    const { config } = read(text);
    expect(config?.client).toMatchObject({ meta: { a: "1" }, nodeClass: "x" });
    expect(config?.server.join.retryJoin).toEqual(["j"]);
    expect(errors(`server "x" {\n  enabled = true\n}`)[0]).toStartWith(
      '1:8 unknown key "x" in block "server"',
    );
  });

  test("numbers and booleans in other spellings", () => {
    const at = (value: string) => read(`${SERVER}ports {\n  http = ${value}\n}`).config?.ports.http;
    expect(["0x1F90", '"0x1F90"', "017620", '"8080"', '"8_080"'].map(at)).toEqual(
      Array(5).fill(8080),
    );
    for (const value of ["80.5", '"80 "', "true", '""', "[1]", "0x"])
      expect(at(value)).toBeUndefined();
    const leave = (value: string) =>
      read(`${SERVER}leave_on_terminate = ${value}`).config?.leaveOnTerminate;
    expect(["1", '"1"', '"TRUE"', "true", '"True"'].map(leave)).toEqual(Array(5).fill(true));
    expect(["0", '"0"', '"FALSE"', "false"].map(leave)).toEqual(Array(4).fill(false));
    for (const value of ['"yes"', '"t"', '""', "True", "2"]) expect(leave(value)).toBeUndefined();
  });

  test("a number or a boolean where a text is meant keeps its spelling", () => {
    expect(meta("a = 1.50\nb = 0x1F\nc = true\nd = 007\ne = -1e3")).toEqual({
      a: "1.50",
      b: "0x1F",
      c: "true",
      d: "007",
      e: "-1e3",
    });
    expect(
      read(`${SERVER}name = 7\nserver {\n  retry_join = [1, true, "x"]\n}`).config,
    ).toMatchObject({
      name: "7",
      server: { join: { retryJoin: ["1", "true", "x"] } },
    });
  });

  test("escapes, and what only looks like one", () => {
    expect(
      meta('a = "q\\"t\\tn\\n\\\\"\nb = "\\x41\\101\\u00e9\\U0001f680"\nc = "\\a\\b\\f\\v\\r"'),
    ).toEqual({
      a: 'q"t\tn\n\\',
      b: "AAé🚀",
      c: "\x07\b\f\v\r",
    });
    expect(meta('a = "100%{x}"\nb = "$${x}\\t"\nc = "%%{ $$ {} $"')).toEqual({
      a: "100%{x}",
      b: "$${x}\t",
      c: "%%{ $$ {} $",
    });
    expect(errors('name = "\\d"')[0]).toStartWith("1:9 a backslash begins an escape");
  });

  test("heredocs, plain and indented, also in lists", () => {
    expect(meta("a = <<EOF\n x ${HOST}\n\ty\nEOF\nb = <<-EOF\n    c\n      d\n    EOF\n")).toEqual({
      a: " x ${HOST}\n\ty\n",
      b: "c\n  d\n",
    });
    const list = `${SERVER}server {\n  retry_join = [<<E\na\nE\n  , "b",\n  ]\n}`;
    expect(read(list).config?.server.join.retryJoin).toEqual(["a\n", "b"]);
    expect(errors("a = <<EOF\nx\n")[0]).toStartWith("1:5 a heredoc without an end");
  });

  test("Windows' ends of lines, and a byte order mark", () => {
    const text = `\uFEFF${SERVER}client {\n meta {\n  a = <<EOF\nx\nEOF\n }\n}\nregoin = "x"\n`;
    const { config, problems } = read(text.replaceAll("\n", "\r\n"));
    expect(config).toBeUndefined();
    expect(problems[0]?.at).toMatchObject({ line: 12, column: 1 });
    expect(meta("a = <<EOF\r\nx\r\nEOF\r\n")).toEqual({ a: "x\n" });
  });

  test("nothing is evaluated in blocks without an effect here, and elsewhere it is a mistake", () => {
    const plugin =
      'plugin "x" {\n  config {\n    a = "${attr.y}"\n    b = [{ c = "${d("e")}" }]\n  }\n}';
    expect(errors(`${SERVER}${plugin}`)).toEqual([]);
    expect(errors(`${SERVER}name = "a-${"${env.HOST}"}"`)[0]).toStartWith(
      "5:11 ${ } is not evaluated",
    );
    expect(errors(`${SERVER}client {\n  meta {\n    a = "${"${b}"}"\n  }\n}`)[0]).toStartWith(
      "7:10 ${ }",
    );
    for (const value of ['upper("x")', 'true ? "a" : "b"', '"a" + "b"', "var.x", "1 + 1"]) {
      expect(errors(`${SERVER}datacenter = ${value}`).length).toBe(1);
    }
  });

  test("columns are characters", () => {
    expect(errors('datacenter = "🚀é" regoin = 1').join()).toContain('1:19 unknown key "regoin"');
  });
});

describe("JSON", () => {
  const json = (text: string) => read(`{"data_dir": "/x", "server": {"enabled": true}, ${text}}`);

  test("commas behind the last of anything", () => {
    const text = '"region": "eu", "client": {"servers": ["a", "b",], "meta": {"a": "b",},},';
    expect(json(text).config).toMatchObject({
      region: "eu",
      client: { servers: ["a", "b"], meta: { a: "b" } },
    });
  });

  test("a block twice, or a list of blocks, is merged", () => {
    for (const text of [
      '"server": {"bootstrap_expect": 3}, "server": {"rejoin_after_leave": true}',
      '"server": [{"bootstrap_expect": 3}, {"rejoin_after_leave": true}]',
    ]) {
      expect(json(text).config?.server).toMatchObject({
        enabled: true,
        bootstrapExpect: 3,
        rejoinAfterLeave: true,
      });
    }
    expect(json('"client": [{"meta": [{"a": "1"}, {"b": "2"}]}]').config).toBeUndefined();
    expect(json('"region": "a", "region": "b"').config).toBeUndefined();
  });

  test("null is nothing, other cases are the same key, numbers keep their text", () => {
    expect(
      json('"datacenter": null, "Region": "eu", "client": {"meta": {"a": 1.50}}').config,
    ).toMatchObject({
      datacenter: "dc1",
      region: "eu",
      client: { meta: { a: "1.50" } },
    });
  });

  test("escapes", () => {
    const text = json('"datacenter": "\\u0061\\/\\t\\ud83d\\ude80${x}"').config?.datacenter;
    expect(text).toBe("a/\t🚀${x}");
    expect(json('"name": "a\\qb"').problems[0]?.message).toStartWith(
      "a backslash begins an escape",
    );
  });
});

test("a key with nothing behind it is shown where it stands", () => {
  const missing = 'expected "=" or "{" after the key, found';
  expect(errors('server {\n  encrypt "abc"\n}\n')).toEqual([`2:11 ${missing} "}"`]);
  expect(errors("log_rotate_bytes = 10 MB\n")).toEqual([`1:23 ${missing} the end of the file`]);
  expect(errors("name\n# what name?\n\nregion\n")).toEqual([`4:1 ${missing} the end of the file`]);
  // A value is missed where its key is, too.
  const value = '1:6 expected a value after "=", found';
  expect(errors("name = \n\n}\n")).toEqual([`${value} "}"`]);
  expect(errors("name = \n")).toEqual([`${value} the end of the file`]);
  expect(read(`${SERVER}name = \n\n"x"\n`).config?.name).toBe("x");
  expect(errors("name ]")).toEqual(['1:6 expected "=" or "{" after the key, found "]"']);
});

test("10,000 levels are one clear error, in both", () => {
  for (const text of [
    `${"a {\n".repeat(10_000)}${"}\n".repeat(10_000)}`,
    `plugin "x" {\n  config {\n    a = ${"[".repeat(10_000)}${"]".repeat(10_000)}\n  }\n}`,
    `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
  ]) {
    expect(errors(text)).toHaveLength(1);
    expect(errors(text)[0]).toContain("nested more than 200 levels deep");
  }
  const deep = `${SERVER}plugin "x" {\n  config {\n    a = ${"{b=[".repeat(90)}1${"]}".repeat(90)}\n  }\n}`;
  expect(errors(deep)).toEqual([]);
});

test("strings, comments and heredocs may be long", () => {
  const long = "x".repeat(3_000_000);
  const heredoc = `<<E\n${"y\n".repeat(500_000)}E\n`;
  const text = `/* ${long} */\n${SERVER}client {\n meta {\n a = "${long}"\n b = ${heredoc}\n}\n}\n# ${long}`;
  const { config } = read(text);
  expect(config?.client.meta["a"]).toBe(long);
  expect(config?.client.meta["b"]).toHaveLength(1_000_000);
  for (const value of [long, `${long}\\n`, "\\n".repeat(500_000)]) {
    const json = `{"data_dir": "/x", "server": {"enabled": true}, "client": {"meta": {"a": "${value}"}}}`;
    expect(read(json).config?.client.meta["a"]).toBe(JSON.parse(`"${value}"`));
  }
  const escaped = `${SERVER}client {\n meta {\n  a = "${"\\n".repeat(500_000)}"\n }\n}`;
  expect(read(escaped).config?.client.meta["a"]).toBe("\n".repeat(500_000));
});

test("a large file is a short question to the parser", () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `key_${i} = "some\\tvalue ${i}"`);
  const { config } = read(`${SERVER}client {\n  meta {\n${lines.join("\n")}\n  }\n}`);
  expect(Object.keys(config?.client.meta ?? {})).toHaveLength(20_000);
  expect(config?.client.meta["key_19999"]).toBe("some\tvalue 19999");
});

test("what the file cannot be to hcl2-parser is told", () => {
  expect(parseInProcess("k0=[\n").error).toContain(":2,1-1: Invalid expression");
});

test("bytes that are not UTF-8 and null characters have their place", () => {
  const bad = new Uint8Array([...new TextEncoder().encode('# é\nname = "a'), 0xff, 0xfe, 0x22]);
  expect(errors(bad)).toEqual(["2:10 bytes that are not UTF-8: a configuration is text in UTF-8"]);
  expect(errors('name = "a\0b"')).toEqual(["1:10 a null character: a configuration is text"]);
  expect(errors(`${SERVER}name = "\uFFFD"`)).toEqual([]);
  expect(errors(new Uint8Array([0xed, 0xa0, 0x80]))[0]).toStartWith("1:1 bytes that are not UTF-8");
});

test("a name that no peer would take is a mistake: control characters, or above 255 bytes", () => {
  expect(errors(`name = "a\\nb"\n${SERVER}`)).toEqual(["1:8 name: contains control characters"]);
  expect(errors(`region = "a\\u001bb"\n${SERVER}`)[0]).toContain("contains control characters");
  expect(errors(`name = "${"ä".repeat(124)}"\n${SERVER}`)).toEqual([]);
  expect(errors(`name = "${"ä".repeat(125)}"\n${SERVER}`)).toEqual([
    "1:8 name: must be at most 255 bytes with the region, found 257",
  ]);
});
