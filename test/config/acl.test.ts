/** The acl block, and what of ACLs stands in the server block. */
import { expect, test } from "bun:test";
import { changedSettings } from "../../src/config/changes.ts";
import type { Config } from "../../src/config/config.ts";
import { errors, read } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';
const TOKEN = "11111111-2222-3333-4444-555555555555";

function configOf(text: string): Config {
  const { config, problems } = read(text);
  expect(problems).toEqual([]);
  if (config === undefined) throw new Error("no configuration");
  return config;
}

test("without the block there are no ACLs, and the times are Nomad's", () => {
  const { acl, server } = configOf(SERVER);
  expect(acl).toEqual({
    enabled: false,
    ...{ tokenTtlMs: 30_000, policyTtlMs: 30_000, roleTtlMs: 30_000 },
    ...{ tokenMinExpirationMs: 60_000, tokenMaxExpirationMs: 86_400_000 },
    replicationToken: "",
  });
  expect([server.authoritativeRegion, server.aclTokenGcMs]).toEqual(["", 3_600_000]);
});

test("everything in it counts", () => {
  const text = `data_dir = "/x"
server {
  enabled = true
  authoritative_region = "eu"
  acl_token_gc_threshold = "5m"
}
acl {
  enabled = true
  token_ttl = "1s"
  policy_ttl = "2s"
  role_ttl = "3s"
  token_min_expiration_ttl = "4s"
  token_max_expiration_ttl = "5s"
  replication_token = "${TOKEN}"
}`;
  const config = configOf(text);
  expect(config.acl).toEqual({
    enabled: true,
    ...{ tokenTtlMs: 1000, policyTtlMs: 2000, roleTtlMs: 3000 },
    ...{ tokenMinExpirationMs: 4000, tokenMaxExpirationMs: 5000 },
    replicationToken: TOKEN,
  });
  expect(config.server).toMatchObject({ authoritativeRegion: "eu", aclTokenGcMs: 300_000 });
  const before = configOf(SERVER);
  expect(changedSettings(before, config, [])).toEqual([
    "acl.enabled",
    "acl.policy_ttl",
    "acl.replication_token",
    "acl.role_ttl",
    "acl.token_max_expiration_ttl",
    "acl.token_min_expiration_ttl",
    "acl.token_ttl",
    "server.acl_token_gc_threshold",
    "server.authoritative_region",
  ]);
});

test("what cannot be is said where it stands, and no token with it", () => {
  const of = (line: string): string => errors(`${SERVER}acl {\n  ${line}\n}`).join("\n");
  expect(of('token_ttl = "-1s"')).toContain("6:15 acl.token_ttl: must not be negative");
  expect(of("token_ttl = 30")).toContain("acl.token_ttl: must be a duration");
  expect(of('token_min_expiration_ttl = "48h"')).toContain("must be at most");
  expect(of("enabledd = true")).toContain('unknown key "enabledd" in block "acl"');
  const wrong = of('replication_token = "s3cret-and-no-uuid"');
  expect(wrong).toContain(
    "6:23 acl.replication_token must be a UUID, the secret of a management token",
  );
  expect(wrong).not.toContain("s3cret");
});
