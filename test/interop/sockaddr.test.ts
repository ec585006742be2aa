/**
 * Address templates against HashiCorp's own go-sockaddr: the same text, or an error on both sides,
 * over several layouts of interfaces, each in a network namespace of its own.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPeer, mustRun } from "./go.ts";

setDefaultTimeout(60_000);

const OURS = new URL("sockaddr-ours.ts", import.meta.url).pathname;
const canUnshare = Bun.spawnSync(["unshare", "-n", "ip", "link"]).success;
if (mustRun && !canUnshare) console.log("sockaddr tests are skipped: no network namespaces here");

const V6 = "nodad";
/** One end of a cable. */
const device = (name: string): string => `link add ${name} type veth peer name ${name}-p`;
const LAYOUTS: Readonly<Record<string, readonly string[]>> = {
  "nothing but loopback, and that is down": [],
  loopback: ["link set lo up"],
  "one network, with the default route": [
    "link set lo up",
    "link add eth0 type veth peer name far0",
    "link set eth0 up",
    "link set far0 up",
    "addr add 10.1.2.3/24 dev eth0",
    `addr add 2001:db8:1::3/64 dev eth0 ${V6}`,
    `addr add fd00:1::3/48 dev eth0 ${V6}`,
    "route add default via 10.1.2.1 dev eth0",
  ],
  "many networks": [
    "link set lo up",
    // No more than twelve addresses: with more, Go's sorting leaves ties in any order.
    ...["zeta", "docker0", "ens3", "ens4", "ens40", "down0"].flatMap((name) => [
      device(name),
      ...[name, `${name}-p`].map((one) => `link set ${one} addrgenmode none`),
    ]),
    ...["zeta", "docker0", "ens3", "ens4", "ens40"].map((name) => `link set ${name} up`),
    // Up, and without a carrier: a bridge that nobody is on.
    ...["zeta", "ens3", "ens4", "ens40"].map((name) => `link set ${name}-p up`),
    "addr add 172.17.0.1/16 dev docker0",
    "addr add 8.8.4.4/30 dev ens3",
    "addr add 192.168.7.7/24 dev ens3",
    "addr add 192.168.7.8/25 dev ens3",
    `addr add 2607:f8b0::5/64 dev ens3 ${V6}`,
    "addr add 100.64.9.9/10 dev ens4",
    "addr add 169.254.3.3/16 dev ens4",
    "addr add 10.200.0.1/31 dev ens40",
    `addr add fd12:3456::1/64 dev ens40 ${V6}`,
    "addr add 10.99.99.99/8 dev down0",
    "route add default via 100.64.0.1 dev ens4 metric 50",
    "route add default via 192.168.7.1 dev ens3 metric 100",
  ],
  "a default route without a gateway": [
    "link set lo up",
    device("wan"),
    "link set wan up",
    "link set wan-p up",
    "addr add 203.0.113.9/24 dev wan",
    "addr add 10.0.0.9/24 dev wan",
    "route add default dev wan",
  ],
};

const ALL = "GetAllInterfaces";
const ATTRIBUTES = [
  ...["address", "ADDRESS", "host", "port", "netmask", "network", "mask_bits", "binary", "hex"],
  ...["first_usable", "last_usable", "octets", "size", "broadcast", "uint32", "uint128"],
  ...["string", "type", "name", "flags", "bogus", ""],
];
const FLAGS = [
  ...["up", "down", "broadcast", "loopback", "multicast", "point-to-point", "forwardable"],
  ...["global unicast", "link-local unicast", "link-local multicast", "unspecified", "UP|loopback"],
  ...["interface-local multicast", "up|down", "down|up", "up|forwardable", "bogus", "running", ""],
];
const SELECTORS: readonly (readonly [string, string])[] = [
  ...FLAGS.map((flag) => ["flags", flag] as const),
  ["flag", "up"],
  ...[
    "lo",
    "^ens",
    "ens4",
    "^ens4$",
    "lo|eth0",
    "^(lo|ens3)$",
    "(?i)ENS",
    "[",
    "(?=x)",
    "",
    "é",
  ].map((name) => ["name", name] as const),
  ...["127.0.0.1", "^10\\.", "/24$", "\\d+", "::", "[[:digit:]]{3}", "*"].map(
    (address) => ["address", address] as const,
  ),
  ...["10.0.0.0/8", "192.168.0.0/16|127.0.0.0/8", "10.1.2.3", "fd00::/8", "::/0", "0.0.0.0/0"].map(
    (network) => ["network", network] as const,
  ),
  ["network", "10.0.0.0/33"],
  ["network", "::ffff:10.0.0.0/104"],
  ["network", "nonsense/8"],
  ["network", "::1"],
  ...["6890", "1918", "6890|1918", "4193", "4291", "3330", "3927", "6598", "1", "x", ""].map(
    (rfc) => ["rfc", rfc] as const,
  ),
  ...["IPv4", "ipv6", "ip", "unix", "IPv4|IPv6", "ip|ipv4", "bogus"].map(
    (type) => ["type", type] as const,
  ),
  ...["24", "32", "8", "33", "129", "x", ""].map((size) => ["size", size] as const),
  ["port", "0"],
  ["port", "^8"],
  ["bogus", "x"],
];
const SORTS = [
  ...["address", "-address", "name", "-name", "size", "-size", "type", "-type", "private", "port"],
  ...["-private", "default", "-default", "+type,+size", "type,-address", "default,type,size"],
  ...["type, size", "TYPE", "bogus", "", "name,bogus"],
];
const MATHS: readonly (readonly [string, string])[] = [
  ["address", "+1"],
  ["address", "-1"],
  ["address", "+256"],
  ["address", "1"],
  ["address", "+4294967295"],
  ["address", "+4294967296"],
  ["address", "-4294967296"],
  ["address", "+x"],
  ["network", "+5"],
  ["network", "-1"],
  ["network", "-2"],
  ["network", "+0"],
  ["network", "+300"],
  ["mask", "8"],
  ["mask", "24"],
  ["mask", "30"],
  ["mask", "33"],
  ["mask", "129"],
  ["mask", "-1"],
  ["bogus", "+1"],
];
const v4 = `${ALL} | include "type" "IPv4" | sort "name,address"`;
const v6 = `${ALL} | include "type" "IPv6" | exclude "address" "^fe80" | sort "name,address"`;

const TEMPLATES: readonly string[] = [
  ...["GetPrivateIP", "GetPublicIP", "GetPrivateIPs", "GetPublicIPs"].map((one) => `{{ ${one} }}`),
  ...["lo", "eth0", "docker0", "ens", "^ens3$", "down0", "none", "[", "eth\\d", ""].flatMap(
    (name) => {
      const quoted = JSON.stringify(name);
      return [`{{ GetInterfaceIP ${quoted} }}`, `{{GetInterfaceIPs ${quoted}}}`];
    },
  ),
  ...[
    "GetAllInterfaces",
    "GetDefaultInterfaces",
    "GetPrivateInterfaces",
    "GetPublicInterfaces",
  ].map((one) => `{{ ${one} | exclude "address" "^fe80" | join "string" " " }}`),
  ...ATTRIBUTES.flatMap((name) => [
    `{{ ${v4} | attr "${name}" }}`,
    `{{ ${v4} | join "${name}" "," }}`,
    `{{ ${v6} | join "${name}" "," }}`,
  ]),
  ...SELECTORS.flatMap(([selector, value]) =>
    ["include", "exclude"].map(
      (step) =>
        `{{ ${ALL} | exclude "address" "^fe80" | ${step} "${selector}" ${JSON.stringify(value)} | join "string" " " }}`,
    ),
  ),
  ...SORTS.flatMap((by) => [
    `{{ ${v4} | sort "${by}" | join "string" " " }}`,
    `{{ ${v6} | sort "${by}" | join "string" " " }}`,
  ]),
  ...MATHS.flatMap(([operation, value]) => {
    const math = `math "${operation}" "${value}" | join "string" " " }}`;
    // Go's overflows there: no step from the first address of an IPv6 network ends in 100::.
    const isBroken = operation === "network" && value === "+0";
    return [`{{ ${v4} | ${math}`, ...(isBroken ? [] : [`{{ ${v6} | ${math}`])];
  }),
  ...["0", "1", "2", "100", "-1", '"1"', "1.5"].flatMap((count) => [
    `{{ ${v4} | limit ${count} | join "string" " " }}`,
    `{{ ${v4} | offset ${count} | join "string" " " }}`,
  ]),
  ...["name", "address", "bogus"].map((by) => `{{ ${v4} | unique "${by}" | join "string" " " }}`),
  // The language.
  "plain text",
  "{{ `127.0.0.1` }}",
  '{{ "127.0.0.1" }} and {{- " more" -}}  !',
  '{{ "a\\tb\\u00e9\\x41\\"" }}',
  "{{ 'a' }} {{ 12 }} {{ 0x1F }} {{ 1_000 }} {{ true }}",
  "{{ nil }}",
  "{{ . | join `name` ` ` | len | eq 0 }}",
  "{{/* nothing */}}x{{- /* trimmed */ -}}  y",
  '{{ with $x := GetAllInterfaces | include "name" "lo" | include "type" "IPv4" }}{{ range $x }}{{ attr "address" . }} {{ end }}{{ else }}none{{ end }}',
  `{{ range $i, $one := ${v4} }}{{ if $i }},{{ end }}{{ $i }}={{ attr "address" $one }}{{ else }}empty{{ end }}`,
  `{{ range ${v4} }}{{ .Name }}:{{ .Attr "address" }} {{ end }}`,
  `{{ range ${v4} }}{{ if eq (attr "name" .) "lo" }}{{ continue }}{{ end }}{{ attr "name" . }}{{ break }}{{ end }}`,
  `{{ range . }}{{ .SockAddr | len }}{{ end }}`,
  `{{ $n := "lo" }}{{ GetInterfaceIP $n }}`,
  `{{ $n := "lo" }}{{ if false }}{{ $n = "x" }}{{ else if true }}{{ $n = "eth0" }}{{ end }}{{ $n }}`,
  `{{ if and (gt (len (${v4})) 1) (not false) }}several{{ else }}few{{ end }}`,
  '{{ if or "" "x" }}{{ or "" "y" }}{{ end }}{{ and "a" "" }}|{{ and "a" "b" }}',
  `{{ (${v4} | limit 1) | attr "address" }}`,
  `{{ index (${ALL} | include "name" "^lo$" | include "type" "IPv4") 0 | attr "name" }}`,
  `{{ slice "abcdef" 1 3 }}{{ len "é" }}{{ print "a" 1 2 "b" }}{{ println "x" 1 }}{{ printf "%s-%d-%v-%q%%" "a" 7 true "q" }}`,
  "{{ lt 1 2 }}{{ le 2 2 }}{{ gt 1 2 }}{{ ge 2 3 }}{{ ne 1 1 }}{{ eq 1 2 1 }}{{ not 1 }}",
  '{{ lt "a" "b" }}{{ eq "a" "a" }}',
  '{{ eq 1 "1" }}',
  "{{ range 3 }}{{ . }}{{ end }}",
  "{{ range $i := 2 }}{{ $i }}{{ end }}",
  '{{ with "x" }}{{ . }}{{ $ | len | lt 99 }}{{ end }}{{ with "" }}a{{ else }}b{{ end }}',
  '{{ with "" }}a{{ else with "z" }}{{ . }}{{ end }}',
  `{{ ${ALL} | include "flags" "up|loopback" | include "type" "IPv4" | attr "address" }}`,
  `{{ ${ALL} | include "name" "lo|eno1" | include "type" "IPv4" | attr "address" }}`,
  `{{ ${ALL}|include "type" "IPv4"|attr "address"}}`,
  `{{\n${ALL} |\n include "type" "IPv4" |\n attr "address"\n}}`,
  `{{ attr "address" (${ALL}) }}`,
  `{{ attr "name" "x" }}`,
  // Mistakes.
  ...[
    "{{",
    "{{ }}",
    "{{ Bogus }}",
    "{{ GetPrivateIP",
    "{{ GetPrivateIP x }}",
    '{{ "x }}',
    "{{ `x }}",
  ],
  ...["{{ | }}", "{{ (1 }}", "{{ 1) }}", "{{ end }}", "{{ else }}", "{{ if true }}", "{{ break }}"],
  ...[
    "{{ $x }}",
    "{{ $x := 1 }}{{ $x }}",
    "{{ 1 | 2 }}",
    '{{ "a" "b" }}',
    "{{ .Name }}",
    "{{ .. }}",
  ],
  ...[
    "{{ if }}x{{ end }}",
    "{{ /* x */ }}",
    "{{/* x",
    "{{ a.b }}",
    "{{ ! }}",
    "{{ GetPrivateIP 1 }}",
  ],
  ...['{{ include "name" }}', '{{ sort "name" 1 }}', "{{ limit 1 }}", "{{ attr }}", "{{ join }}"],
  ...[
    '{{ "\\q" }}',
    "{{ '' }}",
    "{{ index . 999 }}",
    '{{ slice "abc" 2 9 }}',
    "{{ range 1.5 }}{{ end }}",
  ],
  "}} {{ `a` }} }}",
];

let peer: string;
const directory = mkdtempSync(join(tmpdir(), "nomad-sockaddr-"));

beforeAll(() => {
  if (mustRun && canUnshare) peer = buildPeer("sockaddr-peer");
  return () => rmSync(directory, { recursive: true, force: true });
});

describe.if(mustRun && canUnshare)("go-sockaddr and we say the same of", () => {
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    test(name, async () => {
      const input = join(directory, "templates");
      writeFileSync(input, TEMPLATES.map((text) => `${JSON.stringify(text)}\n`).join(""));
      const script = [
        "set -e",
        ...layout.map((one) => `ip ${one}`),
        `${peer} < ${input}`,
        "echo ----",
        `${process.execPath} ${OURS} < ${input}`,
      ].join("\n");
      const child = Bun.spawn(["unshare", "-n", "sh", "-c", script], {
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      expect([await child.exited, err]).toEqual([0, ""]);
      const [theirs = [], ours = []] = out.split("----\n").map((part) =>
        part
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      );
      expect(ours).toHaveLength(TEMPLATES.length);
      const said = ({ text }: { text?: string }): string => text ?? "an error";
      const differing = TEMPLATES.flatMap((template, at) => {
        const [go, we] = [theirs[at], ours[at]];
        return said(go) === said(we) ? [] : [{ template, go, we }];
      });
      expect(differing).toEqual([]);
      // Most of them are no errors, where there is something to be found.
      expect(ours.filter(({ text }) => text !== undefined).length).toBeGreaterThan(150);
    });
  }
});
