/** bind_addr, addresses and advertise: what they come to, and mistakes with their place, once each. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Endpoints, resolveEndpoints } from "../../src/config/endpoints.ts";
import { ConfigError, type Problem } from "../../src/config/problem.ts";
import { renderAddress } from "../../src/config/sockaddr.ts";
import { formatAddress } from "../../src/host/ip.ts";
import { read } from "./read.ts";

const address = (name: string, ip: readonly number[], bits: number) => {
  return { name, flags: name === "lo" ? 0x49 : 0x1043, ip: Uint8Array.from(ip), bits };
};
const INTERFACES = {
  all: [
    address("lo", [127, 0, 0, 1], 8),
    address("eth0", [10, 1, 2, 3], 24),
    address("eth1", [203, 0, 113, 9], 24),
    address("eth1", [192, 168, 7, 7], 24),
  ],
  defaultName: "eth0",
};
const HOSTS: Readonly<Record<string, readonly number[]>> = { "here.example": [10, 9, 9, 9] };

async function resolve(lines: string): Promise<Endpoints> {
  const { config } = read(`data_dir = "/d"\nserver {\n  enabled = true\n}\n${lines}`);
  if (config === undefined) throw new Error("not a configuration");
  return resolveEndpoints(config, {
    interfaces: () => INTERFACES,
    lookup: async (host) => (HOSTS[host] === undefined ? [] : [Uint8Array.from(HOSTS[host])]),
  });
}

async function problems(lines: string): Promise<readonly Problem[]> {
  try {
    await resolve(lines);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("addresses come to", () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['bind_addr = "10.1.2.3"', "10.1.2.3:4646", "10.1.2.3:4647", "10.1.2.3:4648"],
    ["", "0.0.0.0:4646", "10.1.2.3:4647", "10.1.2.3:4648"],
    ['bind_addr = "[fd00::1]"', "[fd00::1]:4646", "[fd00::1]:4647", "[fd00::1]:4648"],
    ['bind_addr = "fd00::1"', "[fd00::1]:4646", "[fd00::1]:4647", "[fd00::1]:4648"],
    [
      'bind_addr = "{{ GetInterfaceIP `eth1` }}"',
      "192.168.7.7:4646",
      "192.168.7.7:4647",
      "192.168.7.7:4648",
    ],
    [
      'addresses {\n  http = "10.1.2.3 [::1] 10.1.2.3"\n}',
      "10.1.2.3:4646 [::1]:4646",
      "10.1.2.3:4647",
      "10.1.2.3:4648",
    ],
    [
      'advertise {\n  rpc = "here.example:14647"\n  serf = "[fd00::5]:4700"\n  http = "0.0.0.0"\n}',
      "0.0.0.0:4646",
      "10.9.9.9:14647",
      "[fd00::5]:4700",
    ],
    [
      'advertise {\n  rpc = "[fd00::5]"\n  serf = "{{ GetPrivateIP }}:99"\n}',
      "0.0.0.0:4646",
      "[fd00::5]:4647",
      "10.1.2.3:99",
    ],
  ];
  for (const [lines, http, rpc, serf] of cases) {
    test(lines === "" ? "the defaults" : lines, async () => {
      const { bind, advertise } = await resolve(lines);
      expect([bind.http.map(formatAddress).join(" "), formatAddress(advertise.rpc)]).toEqual([
        http,
        rpc,
      ]);
      expect(formatAddress(advertise.serf)).toBe(serf);
    });
  }
});

describe("a mistake stands once, with its place:", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['bind_addr = "{{ Bogus }}"', 'function "Bogus" not defined', 5],
    ['bind_addr = "{{ GetInterfaceIP `[` }}"', "Unable to compile name regexp", 5],
    ['bind_addr = "{{ GetInterfaceIP `none` }}"', "matches no address of this machine", 5],
    ['bind_addr = "127.0.0.1"', "Defaulting advertise to localhost is unsafe", 5],
    ['bind_addr = "nowhere.example"', 'Error resolving address "nowhere.example"', 5],
    ['bind_addr = "{{ GetAllInterfaces | join `address` ` ` }}"', "Multiple addresses found", 5],
    ['addresses {\n  rpc = "10.0.0.1 10.0.0.2"\n}', "Multiple addresses found", 6],
    ['addresses {\n  http = "{{ GetPrivateIP"\n}', "unclosed action", 6],
    [
      'advertise {\n  rpc = "0.0.0.0"\n}',
      "RPC advertise address is not advertisable: 0.0.0.0:4647",
      6,
    ],
    ['advertise {\n  serf = "[::]:4648"\n}', "Serf advertise address is not advertisable: [::]", 6],
    ['advertise {\n  rpc = "10.0.0.1:70000"\n}', "invalid port", 6],
    ['advertise {\n  http = "10.0.0.1:700000"\n}', "invalid port", 6],
    ['advertise {\n  serf = "10.0.0.1:0"\n}', "invalid port", 6],
    ['advertise {\n  serf = "10.0.0.1:"\n}', "invalid port", 6],
  ];
  for (const [lines, message, line] of cases) {
    test(lines, async () => {
      const found = await problems(lines);
      expect(found.map((one) => [one.message, one.at?.line])).toEqual([
        [expect.stringContaining(message), line],
      ]);
    });
  }
});

test("a template is a text or an error, whatever it is", () => {
  const piece = fc.constantFrom(
    ...[
      "{{",
      "}}",
      "{{-",
      "-}}",
      " ",
      "\n",
      "|",
      "(",
      ")",
      ".",
      "$x",
      ":=",
      "=",
      ",",
      "`a`",
      '"b"',
    ],
    ...["GetAllInterfaces", "include", "sort", "attr", '"name"', '"IPv4"', "range", "end", "if"],
    ...["else", "with", "break", "1", "-1", "0x", "'c'", "/*", "*/", "nil", "len", ".Name", "\\"],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const { text, error } = renderAddress(pieces.join(" "), () => INTERFACES);
      expect([typeof text, typeof error].sort()).toEqual(["string", "undefined"]);
    }),
    { numRuns: 3000 },
  );
  const deep = `{{ ${"(".repeat(20_000)} }}`;
  expect(renderAddress(deep, () => INTERFACES).error).toBe("nested too deep");
  const blocks = "{{ if true }}".repeat(20_000);
  expect(renderAddress(blocks, () => INTERFACES).error).toBe("nested too deep");
});

test("where a port or a scheme does not belong, the help says what does", async () => {
  for (const text of ["10.0.0.1:4646", "http://10.0.0.1", "10.0.0.1/24"]) {
    const [bound] = await problems(`bind_addr = "${text}"\n`);
    expect(bound?.help).toBe("name an IP, a host or a template; ports stand in ports { }");
    const [told] = await problems(`advertise {\n  rpc = "${text.replace(":4646", ":rpc")}"\n}\n`);
    expect(told?.help).toBe("name an IP, a host or a template, with a port or without one");
  }
  expect((await problems('bind_addr = "nowhere"\n'))[0]?.help).toBeUndefined();
});
