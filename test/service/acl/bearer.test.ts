/** What is written down of a token: whose it is. */
import { expect, test } from "bun:test";
import { bearerOf } from "../../../src/service/acl/bearer.ts";
import { aclToken } from "../../../src/state/acl/acl.ts";
import { structOf } from "../../../src/wire/codec.ts";

const SECRET = "5ec40000-0000-4000-8000-000000000001";
const TOKEN = structOf(aclToken, {
  AccessorID: "acc",
  SecretID: SECRET,
  Name: "ops",
  Type: "client",
  Global: true,
});

test("its accessor, its name and its kind, and never its secret", () => {
  const resolver = { enabled: true, token: () => TOKEN };
  const told = bearerOf(resolver, SECRET);
  expect(told).toEqual({ accessor_id: "acc", name: "ops", global: true, type: "client" });
  expect(JSON.stringify(told)).not.toContain(SECRET);
});

test("nobody without ACLs, without a token, or with one that is unknown or over", () => {
  const token = () => TOKEN;
  expect(bearerOf({ enabled: false, token }, SECRET)).toBeUndefined();
  expect(bearerOf({ enabled: true, token }, "")).toBeUndefined();
  expect(bearerOf({ enabled: true, token: () => undefined }, SECRET)).toBeUndefined();
  const expired = () => {
    throw new Error("ACL token expired");
  };
  expect(bearerOf({ enabled: true, token: expired }, SECRET)).toBeUndefined();
});
