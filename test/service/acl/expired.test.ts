/** Which tokens a leader deletes: those that are over for long, and are made in its region. */
import { expect, test } from "bun:test";
import { expiredAccessors } from "../../../src/service/acl/expired.ts";
import { type AclToken, aclToken } from "../../../src/state/acl/acl.ts";
import { structOf, unixTime } from "../../../src/wire/codec.ts";

function token(AccessorID: string, seconds: bigint | null, Global = false): AclToken {
  const ExpirationTime = seconds === null ? null : unixTime(seconds);
  return structOf(aclToken, { AccessorID, ExpirationTime, Global });
}

const TOKENS = [token("never", null), token("old", 10n), token("new", 30n), token("far", 5n, true)];

test("those whose time was over by then; global ones where they are made", () => {
  expect(expiredAccessors(TOKENS, unixTime(20n), true)).toEqual(["old", "far"]);
  expect(expiredAccessors(TOKENS, unixTime(20n), false)).toEqual(["old"]);
  expect(expiredAccessors(TOKENS, unixTime(4n), true)).toEqual([]);
});

test("not more at once than one entry of the log should have", () => {
  const many = Array.from({ length: 5000 }, (_, i) => token(String(i), 1n));
  expect(expiredAccessors(many, unixTime(2n), true)).toHaveLength(4096);
});
