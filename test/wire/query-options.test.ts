/** What all requests share, read again and again. */
import { expect, test } from "bun:test";
import { decodeQueryOptions, encodeQueryOptions } from "../../src/wire/rpc-status.ts";

test("a buffer that is used again has what is in it now", () => {
  const [first, second] = ["east", "west"].map((Region) => encodeQueryOptions({ Region }));
  const buffer = Buffer.from(first ?? []);
  expect(decodeQueryOptions(buffer)?.Region).toBe("east");
  buffer.set(second ?? []);
  expect(decodeQueryOptions(buffer)?.Region).toBe("west");
  expect(decodeQueryOptions(first ?? buffer)?.Region).toBe("east");
});

test("requests with a token, without one, and with none that can be read", () => {
  for (const AuthToken of ["a", "", "b", "", "a"]) {
    expect(decodeQueryOptions(encodeQueryOptions({ AuthToken }))?.AuthToken).toBe(AuthToken);
    expect(decodeQueryOptions(new Uint8Array(0))).toBeUndefined();
  }
});
