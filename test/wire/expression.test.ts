/** Tag filters are Go's expressions: the answers here are Go's own. */
import { describe, expect, test } from "bun:test";
import { expressionMatches } from "../../src/wire/expression.ts";

describe("expressionMatches()", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["web", "my-web-1", true],
    ["^web$", "my-web-1", false],
    ["(?i)^WEB", "web-1", true],
    ["(?P<kind>web|db)-\\d+", "db-12", true],
    ["\\Aweb\\z", "web", true],
    ["a\\z", "a\n", false],
    ["a$", "a\n", false],
    ["(?m)a$", "a\nb", true],
    ["[[:alpha:]]+", "123", false],
    ["\\pL", "é", true],
    ["(?U)a+", "aaa", true],
    ["\\Qa.b\\E", "axb", false],
    ["", "", true],
    ["x*", "", true],
    ["a++", "aa", false],
    ["(a)\\1", "aa", false],
    ["(?=a)", "a", false],
    ["(", "(", false],
    ["(x{1000}){1000}", "x", false],
  ];
  for (const [expression, value, matches] of cases) {
    test(`${JSON.stringify(expression)} on ${JSON.stringify(value)}: ${matches}`, () => {
      expect(expressionMatches(expression, value)).toBe(matches);
    });
  }

  test("an expression that makes a backtracking engine run away is answered at once", () => {
    const startedAt = performance.now();
    expect(expressionMatches("^(([a-z])+.)+[A-Z]([a-z])+$", "a".repeat(512))).toBe(false);
    expect(expressionMatches("(a|a)*(a|aa)+b", "a".repeat(512))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
