/** Our Go templates beside Go's own, on JSON: texts of a list and out of a seed, errors included. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { renderTemplate } from "../../src/cli/template-output.ts";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(60_000);

const NODE = {
  ID: "5d44c156-897c-4809-aaae-bddb6cab42da",
  Name: 'n<1>"é',
  Attributes: { "kernel.name": "linux", "cpu.numcores": "8", empty: "" },
  Drain: false,
  DrainStrategy: null,
  Count: 7,
  Load: 1234567.5,
  Small: 0.00001,
  Big: 1_732_600_000_000_000,
  Meta: {},
  Events: [
    { Message: "Node registered", Details: null, At: 3 },
    { Message: "Node heartbeat missed", Details: { a: "b" }, At: -12 },
  ],
  Tags: ["a", "b c", null, 1.5, true, ["x"]],
};

const CASES = [
  ...["{{.ID}}", "{{.}}", "{{.Attributes}}", "{{.Tags}}", "{{.Meta}}", "{{.DrainStrategy}}"],
  ...["{{.Nothing}}", "{{.Nothing.At.All}}", "{{.DrainStrategy.Deadline}}", "{{.ID.Length}}"],
  ...["{{.Load}} {{.Small}} {{.Big}} {{.Count}}", "{{.Tags.x}}", "{{ .Events.Message }}"],
  ...['{{index .Attributes "kernel.name"}}', '{{index .Attributes "no"}}', "{{index .Tags 1}}"],
  ...["{{index .Tags 9}}", "{{index .Tags -1}}", '{{index .Tags "a"}}', "{{index .Attributes 1}}"],
  ...["{{index .Count 1}}", "{{index .Nothing 1}}", "{{index .ID 0}}", "{{(index .Events 1).At}}"],
  "{{range .Events}}{{.Message}} {{end}}",
  "{{range $i, $e := .Events}}{{$i}}={{$e.Message}};{{end}}",
  "{{range $k, $v := .Attributes}}{{$k}}={{$v}},{{end}}",
  "{{range .Meta}}x{{else}}none{{end}}{{range .Nothing}}x{{else}}no{{end}}",
  "{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}",
  "{{range .ID}}x{{end}}",
  "{{range .Load}}x{{end}}",
  "{{range .Tags}}{{if eq . nil}}{{continue}}{{end}}{{.}}{{break}}{{end}}",
  "{{if .Drain}}d{{else if .DrainStrategy}}s{{else}}n{{end}}",
  "{{with .Attributes}}{{.empty}}|{{$.ID}}{{end}}{{with .Meta}}m{{else}}-{{end}}",
  "{{with $x := .Count}}{{$x}}{{end}}{{with .Drain}}x{{else with .ID}}{{.}}{{end}}",
  "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}{{if true}}{{$x := 3}}{{end}}{{$x}}",
  "a  {{- .Count -}}  b {{- /* c */ -}} c {{/* d */}} d\n{{- 3}}",
  "{{and .ID .Count}} {{and .Drain (index .Tags 9)}} {{or .Drain .ID}} {{or 1 (index .Tags 9)}}",
  "{{and}}",
  ...["{{not .Drain}} {{not 1}}", "{{not}}", "{{not 1 2}}", "{{len .Tags}} {{len .ID}}"],
  ...["{{len .Attributes}} {{len .Count}}", "{{len .DrainStrategy}}", "{{len}}", "{{index}}"],
  ...["{{eq .Count 7 8}} {{eq .Count 8 7}} {{eq .ID nil}} {{ne .ID `x`}}", "{{eq 1}}", "{{eq}}"],
  ...['{{eq .Count "7"}}', "{{eq .Tags .Tags}}", "{{eq .Tags 1}}", "{{eq true true}}"],
  ...["{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge `b` `a`}}", "{{lt .Tags 1}}", "{{lt true false}}"],
  ...['{{lt 1 "a"}}', "{{lt 1}}", "{{ne 1}}", "{{slice .ID 2 5}} {{slice .Tags 1 2}}"],
  ...["{{slice .ID 5 2}}", "{{slice .ID 1 99}}", "{{slice .Count 1}}", "{{slice .ID}}"],
  ...['{{print 1 2 "x" 3 true false}}', '{{println 1 "a" .Tags}}', "{{print .DrainStrategy}}"],
  '{{printf "%s|%v|%d|%q|%t" .ID .Tags .Count .Name true}}',
  '{{printf "%5d|%-5d|%05d|%+d|% d|%x|%X|%o|%b|%c|%U" 42 42 42 42 42 255 255 8 5 233 233}}',
  '{{printf "%8.3f|%-8.2f|%08.2f|%e|%g|%.3g|%v|%G" 3.14159 2.5 2.5 12345.678 1e7 1234.5 0.5 1e-7}}',
  '{{printf "%10s|%-10s|%.2s|%x|%q" "é2" "ab" "abc" "hi" "a\\"b\\n\\x01"}}',
  '{{printf "%d %s" .Tags .Attributes}}',
  '{{printf "%s"}}|{{printf "%d" 1 2}}|{{printf "%z" 1}}|{{printf "%d" "x"}}|{{printf "%s" 1}}',
  '{{printf "%v %s %d" nil nil nil}}|{{printf "100%%"}}|{{printf "%"}}|{{printf "%T %T" 1 "a"}}',
  '{{.Count | printf "%03d"}} {{"a" | printf "%s-%s" "b"}} {{.ID | len | printf "%d"}}',
  '{{html .Name}} {{js .Name}} {{urlquery .Name}} {{urlquery "a b~*\'()!&ü"}}',
  '{{define "row"}}<{{.}}>{{end}}{{range .Tags}}{{template "row" .}}{{end}}{{template "row"}}',
  '{{block "b" .Count}}[{{.}}]{{end}}{{template "b" 3}}',
  '{{template "none"}}',
  '{{define "x"}}{{$.ID}}{{$y := 1}}{{$y}}{{end}}{{template "x" .}}',
  ...["{{1 2}}", '{{"x" 3}}', "{{.ID 3}}", "{{.Attributes.empty 3}}", "{{nil}}", '{{"x" | 3}}'],
  ...["{{(1)}} {{(len (print 1 2))}}", "{{true}} {{'a'}} {{0x10}} {{1_000}} {{1e3}} {{-5}}"],
  ...[
    "{{",
    "{{.ID",
    "{{end}}",
    "{{else}}",
    "{{if}}{{end}}",
    "{{if .ID}}",
    "{{range .ID}}a{{else}}",
  ],
  ...[
    "{{nosuch .ID}}",
    "{{$x}}",
    "{{break}}",
    "{{range .}}{{end}}{{continue}}",
    "{{template .ID}}",
  ],
  ...['{{"unterminated}}', "{{`raw}}", "{{/* c }}", "{{/* c */ .ID}}", "{{(1}}", "{{1)}}"],
  ...["{{define `x`}}", "{{if 1}}{{define `x`}}{{end}}{{end}}", "{{}}"],
  ...["line1\nline2 {{.ID.x}}", "line1\n\n{{nosuch}}", "é {{ .Tags.x }}", "{{$a, $b := 1}}"],
  ...[
    "{{..ID}}",
    "{{.ID$}}",
    "{{.ID.}}",
    "{{print .5 010 -017}}",
    "{{/*/}}",
    "{{. .ID}}",
    "{{.ID-}}",
  ],
];

const PIECES = [
  ...[".ID", ".Count", ".Tags", ".Attributes", ".Nothing", ".Events", "$", ".", "nil", "true"],
  ...[
    "1",
    "-3",
    '"a"',
    "`b`",
    "2.5",
    "(index .Tags 1)",
    "(len .ID)",
    "$.Count",
    ".Meta",
    "(not 1)",
  ],
];
const FUNCTIONS = [
  ...["len", "index", "eq", "ne", "lt", "ge", "print", 'printf "%v %d"', "and", "or", "not"],
  ...["slice", "html", "urlquery", 'printf "%q|%s"', "println"],
];
const FRAMES = [
  ...["{{@}}", "a {{- @ -}} b", "{{if @}}y{{else}}n{{end}}", "{{with @}}{{.}}{{else}}-{{end}}"],
  ...["{{range @}}{{.}},{{else}}-{{end}}", "{{range $k, $v := @}}{{$k}}:{{$v}},{{end}}"],
  ...["{{$x := @}}{{$x}}", "{{@ | print}}", "{{@ | len}}", "{{template `t` @}}"],
];

/** Out of a seed. */
function generated(count: number): readonly string[] {
  const prng = createPrng(20_261_126);
  const pick = (from: readonly string[]): string => from[randomInt(prng, from.length)] ?? "";
  const expression = (): string => {
    if (randomInt(prng, 4) === 0) return pick(PIECES);
    const args = Array.from({ length: 1 + randomInt(prng, 3) }, () => pick(PIECES));
    return `${pick(FUNCTIONS)} ${args.join(" ")}`;
  };
  return Array.from({ length: count }, () => {
    return `{{define "t"}}[{{.}}]{{end}}${pick(FRAMES).replace("@", expression)}`;
  });
}

function ours(template: string): { readonly text: string; readonly error: string } {
  try {
    return { text: renderTemplate(template, NODE), error: "" };
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    return { text: "", error: message.replace("Error formatting the data: ", "") };
  }
}

/** Two kinds of numbers, which JSON does not tell apart: we compare them. */
const LENIENT = /incompatible types for comparison: (int and float64|float64 and int)/;
/** Go prints the whole value in a form of its own. */
const VALUE = /(non-comparable type).*/;

async function compare(templates: readonly string[], exact: boolean): Promise<readonly string[]> {
  await using oracle = await Peer.start(buildPeer("template-oracle"), []);
  const cases = templates.map((Template) => ({ Template, Data: NODE }));
  const theirs = await oracle.ask(JSON.stringify(cases));
  return templates.flatMap((template, at) => {
    const [we, they] = [ours(template), theirs[at]];
    if (LENIENT.test(they.error)) return [];
    const same = exact
      ? we.error.replace(VALUE, "$1") === they.error.replace(VALUE, "$1")
      : (we.error === "") === (they.error === "");
    if (same && we.text === they.text) return [];
    return [`${template}\n Go:   ${they.text}${they.error}\n ours: ${we.text}${we.error}`];
  });
}

describe.if(mustRun)("Go's own templates say the same", () => {
  test("of each kind of action, with the errors word by word", async () => {
    expect(await compare(CASES, true)).toEqual([]);
  });

  test("of 3000 out of a seed", async () => {
    expect((await compare(generated(3000), false)).slice(0, 10)).toEqual([]);
  });
});
