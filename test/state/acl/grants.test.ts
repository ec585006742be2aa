/** Policies added up: deny wins, capabilities unite, the closest pattern counts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ALL_GRANTS, grantsOf, matchesPattern } from "../../../src/state/acl/grants.ts";
import { mayUse } from "../../../src/state/acl/need.ts";
import { type PolicyRules, policyRules } from "../../../src/state/acl/rules.ts";
import { structOf } from "../../../src/wire/codec.ts";

type Fields = Partial<PolicyRules>;

const rules = (fields: Fields): PolicyRules => structOf(policyRules, fields);
const pools = (all: Record<string, readonly string[]>): PolicyRules => {
  const NodePools = Object.entries(all).map(([Name, Capabilities]) => {
    return { Name, Capabilities, Policy: "" };
  });
  return rules({ NodePools });
};

test("nothing is granted by nothing", () => {
  const none = grantsOf([]);
  expect(none.isManagement).toBe(false);
  expect(none.level("agent")).toBe("");
  expect(none.level("constructor")).toBe("");
  expect(none.nodePool("default", "read")).toBe(false);
  expect(none.namespace("*", "list-jobs")).toBe(false);
  expect(mayUse(ALL_GRANTS, "management")).toBe(true);
});

test("of levels the highest counts, and deny before all", () => {
  const agent = (...levels: string[]): string =>
    grantsOf(levels.map((Policy) => rules({ Agent: { Policy } }))).level("agent");
  expect(agent("read", "write")).toBe("write");
  expect(agent("write", "deny", "read")).toBe("deny");
  expect(agent("list", "read")).toBe("read");
  expect(agent("scale")).toBe("");
});

describe("node pools and namespaces", () => {
  test("capabilities of the same name unite over policies; deny takes all of them", () => {
    const united = grantsOf([pools({ gpu: ["read"] }), pools({ gpu: ["write"] })]);
    expect([united.nodePool("gpu", "read"), united.nodePool("gpu", "write")]).toEqual([true, true]);
    for (const order of [
      ["deny", "read"],
      ["read", "deny"],
    ]) {
      const all = order.map((one) => pools({ gpu: [one] }));
      expect(grantsOf(all).nodePool("gpu", "read")).toBe(false);
    }
    expect(grantsOf([pools({ gpu: ["deny"] })]).nodePool("gpu", "deny")).toBe(false);
  });

  test("a name without an asterisk beats every pattern, and the closest pattern the others", () => {
    const grants = grantsOf([
      pools({
        "*": ["read", "write"],
        "prod-*": ["read"],
        "prod-gpu-*": ["deny"],
        "prod-gpu-1": ["write"],
      }),
    ]);
    const allowed = (name: string): boolean[] =>
      ["read", "write"].map((one) => grants.nodePool(name, one));
    expect(allowed("dev")).toEqual([true, true]);
    expect(allowed("prod-web")).toEqual([true, false]);
    expect(allowed("prod-gpu-2")).toEqual([false, false]);
    expect(allowed("prod-gpu-1")).toEqual([false, true]);
  });

  test("of two patterns that leave as much open, the one that denies counts", () => {
    for (const all of [
      { "a*": ["read"], "*b": ["deny"] },
      { "*b": ["deny"], "a*": ["read"] },
      { "a*": ["deny"], "*b": ["read"] },
    ]) {
      expect(grantsOf([pools(all)]).nodePool("a-b", "read")).toBe(false);
    }
    for (const all of [
      { "a*": ["read"], "*b": ["write"] },
      { "*b": ["write"], "a*": ["read"] },
    ]) {
      const grants = grantsOf([pools(all)]);
      expect([grants.nodePool("ab", "read"), grants.nodePool("ab", "write")]).toEqual([
        true,
        false,
      ]);
    }
  });

  test("any namespace is the one where it may, unless that denies", () => {
    const namespace = (Name: string, Capabilities: string[]): PolicyRules =>
      rules({ Namespaces: [{ Name, Capabilities, Policy: "", Variables: null }] });
    const grants = grantsOf([
      namespace("web", ["list-jobs"]),
      namespace("db", ["deny", "read-job"]),
    ]);
    expect(grants.namespace("*", "list-jobs")).toBe(true);
    expect(grants.namespace("*", "read-job")).toBe(false);
    expect(grants.namespace("default", "list-jobs")).toBe(false);
  });
});

describe("patterns", () => {
  test.each([
    ["*", "", true],
    ["*", "anything", true],
    ["a*", "a", true],
    ["a*", "ba", false],
    ["*a", "ba", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["ab*bc", "abc", false],
    ["exact", "exact", true],
    ["exact", "exactly", false],
    ["a.c", "abc", false],
  ])("%s and %s", (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  test("are what a regular expression makes of them", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "-", "*"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, word, (one, name) => {
        const expected = new RegExp(`^${one.replaceAll("*", ".*")}$`).test(name);
        expect(matchesPattern(one, name)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});
