/** Code about code: who may import whom, what a pure layer may not name, and how long things get. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const SRC = new URL("../src/", import.meta.url).pathname;

/** What each folder of src may import from the others; type-only imports count. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  protocol: [],
  secret: [],
  wire: ["protocol"],
  host: ["protocol"],
  template: [],
  config: ["host", "protocol", "secret", "template", "wire"],
  tls: ["config", "host", "protocol"],
  state: ["wire"],
  service: ["config", "host", "protocol", "secret", "state", "tls", "wire"],
  api: ["config", "host", "protocol", "secret", "service", "state", "tls", "wire"],
  http: ["api", "host", "protocol", "service", "state", "tls"],
  agent: ["api", "config", "host", "http", "protocol", "secret", "service", "state", "tls", "wire"],
  // A program of its own, which runs in browsers and asks over HTTP.
  ui: [],
  cli: ["agent", "config", "host", "secret", "template", "tls", "wire"],
};
/** The same inside service/, for its sub-folders; service/ itself is what they share. */
const SERVICE_MAY_IMPORT: Record<string, readonly string[]> = {
  service: [],
  "service/gossip": ["service"],
  "service/identity": ["service"],
  "service/rpc": ["service"],
  "service/rpc/client": ["service", "service/rpc"],
  "service/raft": ["service", "service/rpc", "service/rpc/client"],
  "service/acl": ["service", "service/rpc"],
  "service/methods": [
    ...["service", "service/acl", "service/audit", "service/identity", "service/raft"],
    ...["service/rpc", "service/rpc/client"],
  ],
  "service/telemetry": ["service"],
  "service/audit": [],
  "service/node": [
    ...["service", "service/identity", "service/methods", "service/rpc", "service/rpc/server"],
  ],
  "service/rpc/server": ["service", "service/methods", "service/rpc", "service/rpc/client"],
};
/** Files beside the folders: anybody may ask for the version, or know the paths; main may start anything. */
const EVERYBODY = ["paths.ts", "version.ts"];
const MAIN = "main.ts";
const PAGE_MAIN = "ui/main.tsx";

const PURE = ["protocol", "state", "template", "wire"];
const IMPURE_WORDS =
  /\b(Bun|process|Date|performance|set(Timeout|Interval)|console|async|await|Promise|crypto)\b|Math\.random/;
/** What only host/ may touch: timers and files. */
const HOST_WORDS = /\b(setTimeout|setInterval|setImmediate|clearTimeout|clearInterval)\(/;
const HOST_MODULES = /from "node:(fs|fs\/promises|timers|timers\/promises|child_process)"/g;
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 400;
const LINE_LENGTH_MAX = 100;

interface Source {
  readonly path: string;
  readonly text: string;
}

const sources: readonly Source[] = readdirSync(SRC, { recursive: true })
  .map(String)
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }));

/** Tests and build scripts, by their paths from src: they import, too. */
const others: readonly Source[] = ["test", "build"].flatMap((folder) =>
  readdirSync(join(SRC, "..", folder), { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({
      path: join("..", folder, path),
      text: readFileSync(join(SRC, "..", folder, path), "utf8"),
    })),
);

const folderOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : path);

function importsOf(source: Source): string[] {
  const found = source.text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map((match) => normalize(join(dirname(source.path), match[1] ?? "")));
}

/** Comments and strings gone, lines kept. */
function codeOnly(text: string): string {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
  return text.replaceAll(pattern, (found) => found.replaceAll(/[^\n]/g, " "));
}

function badImports(source: Source): string[] {
  const from = folderOf(source.path);
  if (source.path === MAIN) return [];
  return importsOf(source).filter((target) => {
    const to = folderOf(target);
    return to !== from && !EVERYBODY.includes(to) && !(MAY_IMPORT[from] ?? []).includes(to);
  });
}

function badServiceImports(source: Source): string[] {
  const from = dirname(source.path);
  if (folderOf(source.path) !== "service") return [];
  return importsOf(source).filter((target) => {
    const to = dirname(target);
    const mayBe = to === from || folderOf(target) !== "service";
    return !mayBe && !(SERVICE_MAY_IMPORT[from] ?? []).includes(to);
  });
}

/** Files that import each other, over any number of steps; each circle once. */
function circles(files: readonly Source[]): string[] {
  const imports = new Map(files.map((source) => [source.path, importsOf(source)]));
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.add([...trail.slice(at), path].join(" > "));
    if (at >= 0 || done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return [...found];
}

function impureWords(source: Source): string[] {
  if (!PURE.includes(folderOf(source.path))) return [];
  const imports = [...source.text.matchAll(/from "(?:node|bun):|import "(?:node|bun):/g)];
  const lines = codeOnly(source.text).split("\n");
  return [...imports.map(([found]) => found), ...lines.filter((line) => IMPURE_WORDS.test(line))];
}

/** Functions, methods and arrow functions by their braces, however their signatures are wrapped. */
function longFunctions(source: Source): string[] {
  const code = codeOnly(source.text);
  const open: number[] = [];
  const partners = new Map<number, number>();
  const found: string[] = [];
  for (const { 0: mark, index } of code.matchAll(/[()[\]{}]/g)) {
    if ("([{".includes(mark)) {
      open.push(index);
      continue;
    }
    const start = open.pop() ?? 0;
    partners.set(index, start);
    if (mark !== "}" || !isFunctionBody(code, start, partners)) continue;
    const length = code.slice(start, index).split("\n").length;
    if (length <= FUNCTION_LINES_MAX) continue;
    found.push(`${code.slice(0, start).split("\n").length}: ${length} lines`);
  }
  return found;
}

function hostWords(source: Source): string[] {
  // The page's timers are the browser's.
  if (["host", "ui"].includes(folderOf(source.path))) return [];
  const modules = [...source.text.matchAll(HOST_MODULES)].map(([found]) => found);
  const lines = codeOnly(source.text).split("\n");
  // A method of that name is none of the runtime's.
  const words = lines.filter((line) => HOST_WORDS.test(line) && !/^\s*\w+\(\): /.test(line));
  return [...modules, ...words];
}

/** @param partners where the bracket was opened that is closed at a place */
function isFunctionBody(
  code: string,
  brace: number,
  partners: ReadonlyMap<number, number>,
): boolean {
  const before = code.slice(0, brace).trimEnd();
  if (before.endsWith("=>")) return true;
  const signature = /\)\s*(?::[^;{}=]*)?$/.exec(before);
  if (signature === null) return false;
  const head = code.slice(0, partners.get(signature.index) ?? 0);
  return !/\b(if|for|while|switch|catch|await)\s*$/.test(head);
}

const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm;

function fromSrc({ path }: Source, target: string): string {
  return normalize(join(dirname(path), target)).replace(/^\.\.\/src\//, "");
}

/** Names that are exported and not imported by anybody; an `import()` may take any of them. */
function unusedExports(from: readonly Source[], by: readonly Source[]): string[] {
  const used = new Set<string>();
  for (const source of by) {
    const imports = source.text.matchAll(/import (?:type )?\{([^}]*)\} from "(\.[^"]+)"/g);
    for (const [, names = "", target = ""] of imports) {
      const path = fromSrc(source, target);
      for (const name of names.split(",")) {
        used.add(
          `${path} ${name
            .replace(/\btype /, "")
            .split(" as ")[0]
            ?.trim()}`,
        );
      }
    }
    const dynamic = source.text.matchAll(/import\(\s*"(\.[^"]+)"/g);
    for (const [, target = ""] of dynamic) {
      used.add(fromSrc(source, target));
    }
  }
  return from.flatMap(({ path, text }) => {
    if (used.has(path)) return [];
    const names = [...text.matchAll(EXPORT)].map(([, name = ""]) => name);
    return names.filter((name) => !used.has(`${path} ${name}`)).map((name) => `${path}: ${name}`);
  });
}

/** What an operator reads is one string however long: only what is around it counts. */
function longLines(source: Source): string[] {
  return source.text.split("\n").filter((line) => {
    const around = line.replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, '""');
    return around.length > LINE_LENGTH_MAX;
  });
}

function casts(source: Source): string[] {
  const code = codeOnly(source.text);
  return code.split("\n").filter((line) => {
    return (
      / as (?!const\b)/.test(line) &&
      !/^\s*(import|export|\*|type |}? ?from|\w+ as \w+,)/.test(line)
    );
  });
}

/** Numbered headings of a document about the wire, by its name: `gossip` for src/wire/gossip.md. */
const sections: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  readdirSync(join(SRC, "wire"))
    .filter((path) => path.endsWith(".md"))
    .map((path) => {
      const headings = readFileSync(join(SRC, "wire", path), "utf8").matchAll(
        /^#+ (\d+(?:\.\d+)*)/gm,
      );
      return [
        path.slice(0, -".md".length),
        new Set([...headings].map(([, number = ""]) => number)),
      ];
    }),
);

/** `wire/X.md §N, §M`, over the end of a comment's line, too: is each of them there? */
function deadCitations({ text }: Source): string[] {
  const joined = text.replaceAll(/\n\s*(?:\*|\/\/) ?/g, " ");
  const cited = joined.matchAll(/wire\/([\w-]+)\.md((?:(?:,| and| to)? §[\d.]*\d)+)/g);
  return [...cited].flatMap(([found, name = "", numbers = ""]) => {
    const known = sections.get(name);
    const wanted = [...numbers.matchAll(/§([\d.]+)/g)].map(([, number = ""]) => number);
    return wanted.every((number) => known?.has(number) === true) ? [] : [found];
  });
}

/** What a document about the wire says of itself: `§N` without a name in front. */
function deadReferences({ path, text }: Source): string[] {
  const known = sections.get(path.replace(/^wire\/(.*)\.md$/, "$1"));
  const own = text.replaceAll(/wire\/[\w-]+\.md §[\d.]*\d/g, "").matchAll(/§([\d.]*\d)/g);
  return [...own].filter(([, number = ""]) => known?.has(number) !== true).map(([found]) => found);
}

/** Only main ends the process: a command says by what it throws how it has gone. */
function endings({ path, text }: Source): string[] {
  if (path === MAIN) return [];
  const lines = codeOnly(text).split("\n");
  return lines.filter((line) => /process\.(exit|exitCode|abort|kill|reallyExit)\b/.test(line));
}

function check(rule: (source: Source) => string[]): string[] {
  return sources.flatMap((source) =>
    rule(source).map((found) => `${source.path}: ${found.trim()}`),
  );
}

describe("every source file", () => {
  test("imports only what its layer may", () => expect(check(badImports)).toEqual([]));
  test("of service/ imports only what its part may", () => {
    expect(check(badServiceImports)).toEqual([]);
  });
  test("is in no circle of imports", () => expect(circles(sources)).toEqual([]));
  test("in a pure layer names no clock, I/O or host", () => expect(check(impureWords)).toEqual([]));
  test("outside of host/ has no timer and no file of its own", () => {
    expect(check(hostWords)).toEqual([]);
  });
  test("has no long function", () => expect(check(longFunctions)).toEqual([]));
  test("has no long line", () => expect(check(longLines)).toEqual([]));
  test("has no type assertion", () => expect(check(casts)).toEqual([]));
  test("ends no process", () => expect(check(endings)).toEqual([]));
  test("is not too long", () => {
    const rule = ({ text }: Source): string[] => {
      const lines = text.split("\n").length - 1;
      return lines > FILE_LINES_MAX ? [`${lines} lines`] : [];
    };
    expect(check(rule)).toEqual([]);
  });
  test("explains itself at the top", () => {
    expect(check(({ text }) => (text.startsWith("/**") ? [] : ["no comment"]))).toEqual([]);
  });
  test("exports by name", () => {
    expect(check(({ text }) => (/^export default/m.test(text) ? ["default export"] : []))).toEqual(
      [],
    );
  });
  test("is used", () => {
    const used = new Set(sources.flatMap(importsOf));
    const unused = sources.filter(
      ({ path }) => ![MAIN, PAGE_MAIN].includes(path) && !used.has(path),
    );
    expect(unused.map(({ path }) => path)).toEqual([]);
  });
  test("exports nothing that nobody imports", () => {
    expect(unusedExports(sources, [...sources, ...others])).toEqual([]);
  });
  test("and no test names addresses that another run may have", () => {
    const fixed = others.flatMap(({ path, text }) => {
      if (!/\/test\/(cluster|interop|host)\//.test(path)) return [];
      const found = /\b127[.,] ?0[.,] ?(?!0\b)\d+[.,] ?\d/.exec(text);
      return found === null ? [] : [`${path}: ${found[0]}: take NET or ipOf of test/addresses.ts`];
    });
    expect(fixed).toEqual([]);
  });
  test("names no host or machine of ours, and imports no test or build", () => {
    const rule = ({ text }: Source): string[] => {
      const wrong =
        /https?:\/\/(?!127\.0\.0\.1|localhost|\$|host:|")[\w.-]+|\.\.\/(?:test|build)\//;
      const found = wrong.exec(codeOnlyComments(text));
      return found === null ? [] : [found[0]];
    };
    expect(check(rule)).toEqual([]);
  });
  test("belongs to a folder with rules", () => {
    const folders = new Set(sources.map(({ path }) => folderOf(path)));
    const known = new Set([...Object.keys(MAY_IMPORT), ...EVERYBODY, MAIN]);
    expect([...folders].filter((folder) => !known.has(folder))).toEqual([]);
  });
});

/** Comments gone, strings kept. */
function codeOnlyComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
}

describe("every citation of a document about the wire", () => {
  const read = (folder: string, ending: RegExp): Source[] => {
    const root = new URL(`../${folder}/`, import.meta.url).pathname;
    return readdirSync(root, { recursive: true })
      .map(String)
      .filter((path) => ending.test(path) && !path.startsWith("out/"))
      .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  };
  test("names a section that is there", () => {
    const files = ["src", "test", "build"].flatMap((folder) => read(folder, /\.(ts|go|md)$/));
    const dead = files.flatMap((file) => deadCitations(file).map((one) => `${file.path}: ${one}`));
    expect(dead).toEqual([]);
  });
  test("and so does each inside the documents", () => {
    const documents = read("src", /^wire\/.*\.md$/);
    expect(documents.flatMap(deadReferences)).toEqual([]);
  });
});

describe("the rules notice", () => {
  const sample = (path: string, text: string): Source => ({ path, text });
  test("a forbidden import", () => {
    expect(badImports(sample("wire/x.ts", 'import { a } from "../host/ip.ts";'))).toHaveLength(1);
    expect(badImports(sample("wire/x.ts", 'import type { a } from "../protocol/b.ts";'))).toEqual(
      [],
    );
  });
  test("a part of service/ that reaches into another", () => {
    const source = sample("service/gossip/x.ts", 'import { a } from "../rpc/call.ts";');
    expect(badServiceImports(source)).toHaveLength(1);
    expect(badServiceImports(sample("service/gossip/x.ts", 'import "../drive.ts";'))).toEqual([]);
  });
  test("a circle of imports", () => {
    const [a, b] = [sample("x/a.ts", 'import "./b.ts";'), sample("x/b.ts", 'import "./a.ts";')];
    expect(circles([a, b])).toEqual(["x/a.ts > x/b.ts > x/a.ts"]);
    expect(circles([a])).toEqual([]);
  });
  test("a clock in a pure layer, but not in a comment or a string", () => {
    expect(impureWords(sample("protocol/x.ts", "const t = Date.now();"))).toHaveLength(1);
    expect(impureWords(sample("protocol/x.ts", 'import "node:fs";'))).toHaveLength(1);
    expect(impureWords(sample("protocol/x.ts", '// Date\nconst s = "Promise";'))).toEqual([]);
    expect(impureWords(sample("host/x.ts", "const t = Date.now();"))).toEqual([]);
  });
  test("an export that nobody imports", () => {
    const two = sample("x/a.ts", "export const one = 1;\nexport interface Two {}\n");
    const user = sample("../test/x.test.ts", 'import { type Two as T } from "../src/x/a.ts";');
    expect(unusedExports([two], [user])).toEqual(["x/a.ts: one"]);
    const inside = sample("y/b.ts", 'import { one, type Two as T } from "../x/a.ts";');
    expect(unusedExports([two], [inside])).toEqual([]);
    expect(unusedExports([two], [sample("y/b.ts", 'await import("../x/a.ts")')])).toEqual([]);
  });
  test("a timer and a file outside of host/", () => {
    expect(hostWords(sample("cli/x.ts", "setTimeout(f, 5);"))).toHaveLength(1);
    expect(hostWords(sample("cli/x.ts", 'import { a } from "node:fs";'))).toHaveLength(1);
    expect(hostWords(sample("host/x.ts", "setTimeout(f, 5);"))).toEqual([]);
    expect(hostWords(sample("http/x.ts", "  setTimeout(): this {"))).toEqual([]);
  });
  test("a long function", () => {
    const body = "  work();\n".repeat(FUNCTION_LINES_MAX);
    for (const head of [
      "function f(): void {",
      "const f = (): void => {",
      "  #f(\n    a: string,\n    b: (c: number) => void,\n  ): Promise<void> {",
      "run(async () => {",
    ]) {
      expect(longFunctions(sample("x.ts", `${head}\n${body}}\n`))).toHaveLength(1);
    }
    for (const head of ["if (a) {", "for (const a of b()) {", "const a = {", "class A {"]) {
      expect(longFunctions(sample("x.ts", `${head}\n${body}}\n`))).toEqual([]);
    }
    expect(longFunctions(sample("x.ts", "function f(): void {\n  work();\n}\n"))).toEqual([]);
  });
  test("a type assertion, but not a constant one", () => {
    expect(casts(sample("x.ts", "const a = b as C;"))).toHaveLength(1);
    expect(casts(sample("x.ts", "const a = [1] as const;"))).toEqual([]);
  });
  test("a citation that leads nowhere, also behind the end of a line", () => {
    const cite = (text: string): string[] => deadCitations(sample("x.ts", text));
    const [document, other] = ["wire/gossip.md", "wire/nothing.md"];
    expect(cite(`/** As ${document} §10.7 and §2 have it. */`)).toEqual([]);
    expect(cite(`/** As ${document} §10.77 has it. */`)).toHaveLength(1);
    expect(cite(`/**\n * As ${document} §2,\n * §99 has it. */`)).toHaveLength(1);
    expect(cite(`/** As ${other} §1 has it. */`)).toHaveLength(1);
    expect(deadReferences(sample(document, "See §2.1."))).toHaveLength(1);
  });
  test("an end of the process, wherever but in main", () => {
    expect(endings(sample("cli/x.ts", "process.exitCode = 1;"))).toHaveLength(1);
    expect(endings(sample("cli/x.ts", "function exitCodeOf(): void {}"))).toEqual([]);
    expect(endings(sample(MAIN, "process.exit(2);"))).toEqual([]);
  });
  test("a long line", () => {
    expect(longLines(sample("x.ts", "x".repeat(LINE_LENGTH_MAX + 1)))).toHaveLength(1);
  });
});
