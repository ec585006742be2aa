/** What a request needs, judged by what a token's policies grant. */
import { expect, test } from "bun:test";
import { type Grants, mayUse, type Need } from "../../../src/state/acl/need.ts";

function grants(levels: Readonly<Record<string, string>>, rest: Partial<Grants> = {}): Grants {
  return {
    isManagement: false,
    level: (area) => levels[area] ?? "",
    nodePool: () => false,
    namespace: () => false,
    ...rest,
  };
}

const AREAS = ["agent", "node", "operator", "quota"] as const;

test("a level grants itself and those below it, in its own area only", () => {
  for (const area of AREAS) {
    for (const level of ["", "deny", "list", "read", "write", "toString"]) {
      const acl = grants({ [area]: level });
      expect(mayUse(acl, `${area}:read`)).toBe(level === "read" || level === "write");
      expect(mayUse(acl, `${area}:write`)).toBe(level === "write");
      for (const other of AREAS.filter((one) => one !== area)) {
        expect(mayUse(acl, `${other}:read`)).toBe(false);
      }
    }
  }
});

test("plugins have list and read; write grants neither, as with Nomad", () => {
  const granted = (level: string): boolean[] =>
    (["plugin:list", "plugin:read"] as const).map((need) =>
      mayUse(grants({ plugin: level }), need),
    );
  expect(granted("list")).toEqual([true, false]);
  expect(granted("read")).toEqual([true, true]);
  expect(granted("write")).toEqual([false, false]);
  expect(granted("deny")).toEqual([false, false]);
});

test("management may do everything, and nobody else what needs it", () => {
  const needs: Need[] = ["management", "agent:write", "node_pool:delete", "namespace:alloc-exec"];
  for (const need of needs) {
    expect(mayUse(grants({}, { isManagement: true }), need)).toBe(true);
    expect(mayUse(grants({}), need)).toBe(false);
  }
  const all = grants({ agent: "write", node: "write", operator: "write", quota: "write" });
  expect(mayUse(all, "management")).toBe(false);
  expect(mayUse(all, [])).toBe(false);
  expect(mayUse(grants({}, { isManagement: true }), [])).toBe(true);
});

test("without any rights there is what asks for none", () => {
  expect(mayUse(grants({}), "anonymous")).toBe(true);
  expect(mayUse(grants({}), "token")).toBe(true);
});

test("of several needs one is enough", () => {
  const acl = grants({ node: "read" });
  expect(mayUse(acl, ["agent:write", "node:read"])).toBe(true);
  expect(mayUse(acl, ["agent:write", "node:write"])).toBe(false);
});

test("node pools and namespaces are those of the request", () => {
  const acl = grants(
    {},
    {
      nodePool: (name, capability) => name === "gpu" && capability === "read",
      namespace: (name, capability) => name === "default" && capability === "list-jobs",
    },
  );
  expect(mayUse(acl, "node_pool:read", { nodePool: "gpu" })).toBe(true);
  expect(mayUse(acl, "node_pool:write", { nodePool: "gpu" })).toBe(false);
  expect(mayUse(acl, "node_pool:read", { nodePool: "cpu" })).toBe(false);
  expect(mayUse(acl, "node_pool:read")).toBe(false);
  expect(mayUse(acl, "namespace:list-jobs")).toBe(true);
  expect(mayUse(acl, "namespace:list-jobs", { namespace: "other" })).toBe(false);
});
