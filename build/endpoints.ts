/** The table of endpoints in README.md, out of their declarations: `bun build/endpoints.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { type Declared, twinsOf } from "../src/http/endpoint.ts";
import { TABLE } from "../test/answers.ts";

const README = new URL("../README.md", import.meta.url).pathname;
const [BEGIN, END] = ["<!-- endpoints: npm run endpoints -->\n", "<!-- end of endpoints -->"];

/** What README.md should be. */
export function readmeWithEndpoints(readme: string): string {
  const [before = "", rest = ""] = readme.split(BEGIN);
  const after = rest.slice(rest.indexOf(END));
  return `${before}${BEGIN}${markdown(TABLE)}${after}`;
}

function markdown(table: readonly Declared[]): string {
  const paths = [...new Set(table.filter(isHere).map(({ path }) => path))].sort();
  const rows = paths.map((path) => {
    const all = table.filter((one) => one.path === path && isHere(one));
    const methods = all.flatMap((one) => [one.method, ...twinsOf(one, one.method)]);
    const needs = [...new Set(all.map((one) => [one.needs].flat().join(" or ")))].join(", ");
    const summaries = all.map(({ summary }) => summary.replace(/[.;].*/, ""));
    const said = [...new Set(summaries)].join("; ");
    const marks = [
      all.some((one) => one.blocks === true) ? "waits" : "",
      all.some((one) => one.streams === true) ? "streams" : "",
    ];
    const how = [...new Set(all.map((one) => one.from)), ...marks].filter((one) => one !== "");
    return `| \`${path}\` | ${methods.join(", ")} | ${said} | ${needs} | ${how.join(", ")} |\n`;
  });
  return `\n| path | methods | | needs of a token | from |\n|---|---|---|---|---|\n${rows.join("")}\n`;
}

function isHere({ refuses }: Declared): boolean {
  return refuses === undefined;
}

if (import.meta.main) {
  writeFileSync(README, readmeWithEndpoints(readFileSync(README, "utf8")));
}
