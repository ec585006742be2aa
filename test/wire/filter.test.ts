/** Filter expressions: what they say, where the mistake is, and that nobody makes them run away. */
import { expect, test } from "bun:test";
import { Filter, type Item } from "../../src/wire/filter.ts";

const NODE: Item = {
  ID: "n1",
  Status: "ready",
  ModifyIndex: 12,
  Attributes: { "os.name": "debian", kernel: { name: "linux" } },
  Meta: null,
  DrainStrategy: null,
  Events: [{ Message: "Node registered" }, { Message: "Node drain complete" }],
};

function ask(text: string, item = NODE): boolean | string {
  const filter = Filter.parse(text);
  return typeof filter === "string" ? `no filter: ${filter}` : filter.matches(item);
}

test("what operators ask", () => {
  const expected: [string, boolean][] = [
    ['Status == "ready" and ID != n2', true],
    ['Attributes["os.name"] == debian', true],
    ["Attributes.kernel.name matches `^lin`", true],
    ['"drain" in Attributes or ModifyIndex == 12', true],
    ["not (Status == down)", true],
    ["Attributes.none is empty", true],
    ['any Events as e { e.Message contains "drain" }', true],
    ['all Events as _, e { e.Message contains "drain" }', false],
    ["DrainStrategy is not nil", false],
    // Of Go's types a map that is nil is empty, and a pointer that is nil holds nothing.
    ["Meta is empty and Meta.rack != r1 and DrainStrategy.Deadline is nil", true],
  ];
  for (const [text, answer] of expected) expect([text, ask(text)]).toEqual([text, answer]);
});

test("a mistake has its place, or its name", () => {
  expect(ask("Status = ready")).toBe(
    'no filter: 1:8: found "= ready", expected a comparison, "and", "or" or the end',
  );
  expect(ask('(Status == "ready"')).toBe('no filter: 1:1: there is no ")" for this "("');
  expect(ask("")).toStartWith("no filter: 1:1: found the end of the expression");
  expect(ask("Status == ready and\n  ID ==")).toStartWith("no filter: 2:");
  expect(ask("Stutus == ready")).toBe("error finding value in datum: there is no /Stutus");
  expect(ask("ModifyIndex == many")).toBe('"many" is not a number');
  expect(ask('Status matches "("')).toStartWith('failed to compile regular expression "("');
  expect(ask("ModifyIndex matches 1")).toContain("whether it matches something");
});

test("long, deep and looping ones are refused, and in time", () => {
  const started = performance.now();
  expect(ask(`ID == ${"a".repeat(9000)}`)).toContain("no more than 8192 characters");
  expect(ask(`${"(".repeat(100)}ID == a${")".repeat(100)}`)).toContain("nested more than 64 deep");
  // Each bracket could be read twice, and each of these twice again.
  expect(ask(`${"(".repeat(60)}ID == n1${")".repeat(60)}`)).toBe(true);
  expect(ask(`${"(".repeat(60)}ID ==${")".repeat(60)}`)).toStartWith("no filter");
  expect(ask(`${"not ".repeat(2000)}ID == n1`)).toBe(true);
  expect(ask(`${"not ".repeat(2000)}ID =`)).toStartWith("no filter");
  expect(ask(Array(400).fill("ID == n1").join(" and "))).toBe(true);
  const loops = Array.from({ length: 8 }, (_, i) => `all L as x${i} { `).join("");
  const L = Array.from({ length: 20 }, () => 1);
  expect(ask(`${loops}x0 == 1${" }".repeat(8)}`, { L })).toContain("takes too long");
  expect(ask("ID matches `(a*)*b`", { ID: "a".repeat(5000) })).toBe(false);
  expect(performance.now() - started).toBeLessThan(5000);
});

test("names that JavaScript knows are no fields", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(ask(`"/${name}" == x`)).toContain("there is no");
    expect(ask(`Attributes["${name}"] is empty`)).toBe(true);
  }
  expect(ask("Events.length == 2")).toContain("there is no /Events/length");
});

test("it says which fields it looks at, and which keys in them", () => {
  const fields = (text: string): unknown => {
    const filter = Filter.parse(text);
    return typeof filter === "string" ? filter : Object.fromEntries(filter.fields);
  };
  expect(fields('A.x == 1 and A["y.z"].b == 2 or "/C/d" is empty and E == f')).toEqual({
    ...{ A: new Set(["x", "y.z"]), C: new Set(["d"]), E: undefined },
  });
  expect(fields("A.x == 1 and b in A and A.y == 2")).toEqual({ A: undefined });
  expect(fields("any A.x as v { v.y == 1 }")).toEqual({ A: undefined, v: new Set(["y"]) });
});
