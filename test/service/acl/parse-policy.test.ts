/** The text of policies: what Nomad takes, and what it says of the rest. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parsePolicy } from "../../../src/service/acl/parse-policy.ts";
import type { PolicyRules } from "../../../src/state/acl/rules.ts";

function rules(text: string, strict = true): PolicyRules {
  const parsed = parsePolicy(text, strict);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const EVERYTHING = `
# A comment
namespace "default" {
  policy       = "read"
  capabilities = ["alloc-exec", "submit-job",]
  variables {
    path "nomad/jobs/*" { capabilities = ["read", "write"] }
    path "secret"       { capabilities = ["deny", "read"] }
  }
}
namespace "prod-*" { capabilities = ["host-volume-register"] }
node_pool "gpu" { policy = "write" }
node_pool "*" { capabilities = ["read"] }
host_volume "db" { policy = "write" }
agent { policy = "write" }
node { policy = "read" }
operator {
  policy = "read"
  capabilities = ["snapshot-save"]
}
quota { policy = "read" }
plugin { policy = "list" }
sentinel { capabilities = ["sentinel-read"] }
`;

test("all that a policy may say", () => {
  const all = rules(EVERYTHING);
  expect(all.Agent).toEqual({ Policy: "write" });
  expect(all.Node).toEqual({ Policy: "read" });
  expect(all.Quota).toEqual({ Policy: "read" });
  expect(all.Plugin).toEqual({ Policy: "list" });
  expect(all.Operator?.Capabilities).toEqual(["snapshot-save", "keyring-read", "license-read"]);
  expect(all.Sentinel).toEqual({ Policy: "", Capabilities: ["sentinel-read"] });
  const [first, second] = all.Namespaces ?? [];
  expect(first?.Capabilities).toContain("alloc-exec");
  expect(first?.Capabilities).toContain("list-jobs");
  expect(first?.Capabilities).not.toContain("scale-job");
  expect(first?.Variables?.Paths).toEqual([
    { PathSpec: "nomad/jobs/*", Capabilities: ["read", "write", "list"] },
    { PathSpec: "secret", Capabilities: ["deny"] },
  ]);
  expect(second).toMatchObject({
    Name: "prod-*",
    Capabilities: ["host-volume-register", "host-volume-create", "host-volume-read"],
  });
  expect(all.NodePools).toEqual([
    { Name: "gpu", Policy: "write", Capabilities: ["delete", "read", "write"] },
    { Name: "*", Policy: "", Capabilities: ["read"] },
  ]);
  expect(all.HostVolumes?.[0]?.Capabilities).toEqual(["mount-readonly", "mount-readwrite"]);
  expect(all.Raw).toBe(EVERYTHING);
});

test("JSON says the same", () => {
  const json = JSON.stringify({
    namespace: {
      default: { policy: "read", variables: { path: { a: { capabilities: ["list"] } } } },
    },
    node_pool: { gpu: { policy: "deny" } },
    agent: { policy: "read" },
  });
  const all = rules(json);
  expect(all.Namespaces?.[0]).toMatchObject({ Name: "default", Policy: "read" });
  expect(all.Namespaces?.[0]?.Variables?.Paths?.[0]?.PathSpec).toBe("a");
  expect(all.NodePools).toEqual([{ Name: "gpu", Policy: "deny", Capabilities: ["deny"] }]);
  expect(all.Agent).toEqual({ Policy: "read" });
});

test("keys are the same in any case, and escapes mean what they mean", () => {
  expect(rules('Agent { Policy = "read" }').Agent).toEqual({ Policy: "read" });
  expect(rules('agent { policy = "r\\x65ad" }').Agent).toEqual({ Policy: "read" });
  expect(rules('agent { policy = "r\\u0065ad" }').Agent).toEqual({ Policy: "read" });
});

test("an empty text grants nothing", () => {
  expect(rules("").Agent).toBeNull();
});

describe("what is wrong", () => {
  test.each([
    ["# nothing", "Invalid policy: # nothing"],
    ['agent { policy = "rad" }', 'Invalid agent policy: "rad"'],
    ["agent { }", 'Invalid agent policy: ""'],
    ['agent { policy = "list" }', 'Invalid agent policy: "list"'],
    ['plugin { policy = "scale" }', 'Invalid plugin policy: "scale"'],
    ['namespace { policy = "read" }', 'Invalid namespace name: ""'],
    ['namespace "a b" { policy = "read" }', 'Invalid namespace name: "a b"'],
    ['namespace "a" { policy = "red" }', "Invalid namespace policy: \"red\" for 'a'"],
    ['namespace "a" { capabilities = ["x"] }', "Invalid namespace capability 'x' for 'a'"],
    ['node_pool "a/b" { policy = "read" }', "Invalid node pool name 'a/b'"],
    ['node_pool "a" { capabilities = ["x"] }', "Invalid node pool capability 'x' for 'a'"],
    ['host_volume "_" { policy = "read" }', 'Invalid host volume name: "_"'],
    ['operator { capabilities = ["x"] }', "Invalid operator capability 'x'"],
    [
      'namespace "a" { variables { } }',
      "Invalid variable policy: no variable paths in namespace a",
    ],
    [
      'namespace "a" { variables { path "/x" { capabilities = ["read"] } } }',
      "Invalid variable path \"/x\" in namespace a: cannot start with a leading '/'",
    ],
    [
      'namespace "a" { variables { path "x" { capabilities = ["run"] } } }',
      "Invalid variable capability 'run' in namespace a",
    ],
    ['agent { policy = "read" }\nfoo = 1', "Invalid or duplicate policy keys: foo"],
    [
      'agent { policy = "deny" }\nagent { policy = "write" }',
      "Invalid or duplicate policy keys: agent",
    ],
    [
      'namespace "a" { policy = "read" capabilites = ["deny"] }',
      "Invalid or duplicate policy keys: namespace.capabilites",
    ],
    ['agent { policy = "deny" policy = "write" }', "Invalid or duplicate policy keys: policy"],
    ['agent = "read"', "Failed to parse ACL Policy: agent must be a block"],
    ["agent { policy = [] }", "Failed to parse ACL Policy: policy must be a string"],
    ['namespace "a" { capabilities = "read-job" }', "Failed to parse ACL Policy: capabilities"],
    ["agent {", "Failed to parse ACL Policy: At 1:7: the block that begins here is never closed"],
    ['{"agent": {"policy": }}', "Failed to parse ACL Policy: At 1:22: invalid JSON"],
  ])("%s", (text, expected) => {
    expect(parsePolicy(text, true)).toStartWith(expected);
  });

  test("a key that is spelt wrong is passed over where the policy is old", () => {
    const text = 'namespace "a" { policy = "read" capabilites = ["deny"] }\nfoo = 1';
    expect(rules(text, false).Namespaces?.[0]?.Capabilities).toContain("read-job");
  });
});

test("of a policy that is kept, the last of two blocks counts, as with Nomad", () => {
  const text = 'node { policy = "deny" }\nnode { policy = "write" policy = "read" }';
  expect(parsePolicy(text, true)).toStartWith("Invalid or duplicate policy keys");
  expect(rules(text, false).Node).toEqual({ Policy: "read" });
});

test("no text makes it throw, or takes long", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      expect(["string", "object"]).toContain(typeof parsePolicy(text, true));
    }),
  );
  // All that a request may have.
  const long = ['namespace "a" {}\n'.repeat(60_000), `agent { ${"policy=1\n".repeat(100_000)}}`];
  for (const text of long) {
    const started = performance.now();
    expect(["string", "object"]).toContain(typeof parsePolicy(text, true));
    expect(performance.now() - started).toBeLessThan(4000);
  }
});
