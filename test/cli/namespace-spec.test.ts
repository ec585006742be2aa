/** Files that describe a namespace: what they come to, and where their mistakes are. */
import { expect, test } from "bun:test";
import { namespaceSpec } from "../../src/cli/namespace-spec.ts";
import { SourceText } from "../../src/config/source-text.ts";

const HCL = `
name        = "web"
description = "a \\"b\\""
capabilities {
  enabled_task_drivers   = ["exec", "docker"]
  disabled_network_modes = []
}
meta {
  Owner = "me"
}
node_pool_config { default = "red" }
vault { allowed = ["one"] }
`;

test("HCL as Nomad's users write it", async () => {
  const none = { DisabledTaskDrivers: null, EnabledNetworkModes: null };
  expect(await namespaceSpec(new SourceText("web.hcl", HCL), false)).toEqual({
    ...{ Name: "web", Description: 'a "b"', Quota: "", Meta: { Owner: "me" } },
    Capabilities: {
      ...{ EnabledTaskDrivers: ["exec", "docker"], DisabledNetworkModes: [] },
      ...none,
    },
    NodePoolConfiguration: { Default: "red", Allowed: null, Denied: null },
    VaultConfiguration: { Default: "", Allowed: ["one"], Denied: null },
    ConsulConfiguration: null,
  });
});

test("JSON goes on as it is", async () => {
  const source = new SourceText("web.json", '{"Name":"web","Meta":{"a":"b"}}');
  expect(await namespaceSpec(source, true)).toEqual({ Name: "web", Meta: { a: "b" } });
});

test("a mistake has its place", async () => {
  const cases: [string, boolean, string][] = [
    ['nmae = "web"', false, "web.hcl:1:1"],
    ['name = "web"\nmeta = "x"', false, "web.hcl:2:"],
    ["capabilities {\n  enabled_task_driver = 7\n}", false, "web.hcl:2:3"],
    ["name = [1]", false, "web.hcl:1:8"],
    ['name = "web', false, "web.hcl:1:8"],
    ["{", true, "JSON Parse error"],
    ["[]", true, "it is no JSON object"],
  ];
  for (const [text, isJson, why] of cases) {
    const asked = namespaceSpec(new SourceText("web.hcl", text), isJson);
    const error = await asked.then(String, (one: Error) => one.message);
    expect(error).toStartWith("Failed to parse input content:");
    expect(error).toContain(why);
  }
});
