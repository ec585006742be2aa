/** `-t` of the commands: sprig's functions by a recorded table, and errors that say where. */
import { describe, expect, test } from "bun:test";
import { renderTemplate } from "../../src/cli/template-output.ts";
import recorded from "../vectors/template/sprig.json";

/** What the table was recorded on, by sprig v3.3.0. */
const DATA = {
  T: "  Hello, <World> ",
  L: ["b", "a", "b", null, 3],
  N: [1, 2, 3],
  M: { k: "v", a: 1, e: "" },
  E: "",
  Z: null,
};

function rendered(template: string): string {
  try {
    return renderTemplate(template, DATA);
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    return message.replace("Error formatting the data: ", "ERR ");
  }
}

describe("sprig's functions do as sprig's", () => {
  for (const [template = "", wanted = ""] of recorded) {
    test(template, () => {
      expect(rendered(template)).toBe(wanted.replace("runtime error: ", ""));
    });
  }
});

test("a function that is not there is named, and those that are", () => {
  const text = rendered("{{sprig_now}}");
  expect(text).toContain('template: :1: function "sprig_now" not defined');
  expect(text).toContain("Of sprig's functions there are abbrev, add, add1,");
  expect(rendered("{{env `HOME`}}")).toBe('ERR template: :1: function "env" not defined');
});

test("a template that calls itself, or goes on for long, ends with an error", () => {
  const deep = '{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}';
  expect(rendered(deep)).toContain("exceeded maximum template depth");
  const wide = `{{range 100000}}{{range 100000}}${"x".repeat(100_000)}{{end}}{{end}}`;
  expect(rendered(wide)).toContain("it writes too much");
});
