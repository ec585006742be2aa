/** Signed tokens: what is read of them, and what a stranger may send in their place. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { looksLikeToken, readToken, signedToken, signingInput } from "../../src/wire/jwt.ts";

const SIGNATURE = new Uint8Array(64).fill(7);
const token = (claims: Record<string, unknown>): string =>
  signedToken(signingInput("EdDSA", "a-key", claims), SIGNATURE);

test("the example of RFC 7515, appendix A.1", () => {
  const text =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" +
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const read = readToken(text);
  expect(read?.algorithm).toBe("HS256");
  expect(read?.keyId).toBe("");
  const claims = { iss: "joe", exp: 1300819380, "http://example.com/is_root": true };
  expect(read?.claims).toEqual(claims);
  expect(new TextDecoder().decode(read?.signed)).toBe(text.slice(0, text.lastIndexOf(".")));
});

test("what was written is read, whatever a node is called", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())), (claims) => {
      const read = readToken(token(claims));
      expect(read?.claims).toEqual(JSON.parse(JSON.stringify(claims)));
      expect(read).toMatchObject({ algorithm: "EdDSA", keyId: "a-key", signature: SIGNATURE });
    }),
  );
});

test("no text of a stranger is more than refused", () => {
  const part = fc.oneof(fc.base64String(), fc.string(), fc.constant("eyJhbGciOiJFZERTQSJ9"));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
      const text = parts.join(".");
      const read = readToken(text);
      if (read !== undefined) expect(looksLikeToken(text)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("one that is cut, padded, too long or wants to be understood differently is none", () => {
  const good = token({ sub: "node:global:default:x:default" });
  const [header = "", claims = "", signature = ""] = good.split(".");
  expect(readToken(good)).toBeDefined();
  for (let length = 0; length < good.length - signature.length; length++) {
    expect(readToken(good.slice(0, length))).toBeUndefined();
  }
  expect(readToken(`${header}=.${claims}.${signature}`)).toBeUndefined();
  expect(readToken(`${good}.x`)).toBeUndefined();
  // The last character has bits that stand for nothing: only one text is the signature's.
  expect(readToken(good.replace(/.$/, "B"))).toBeUndefined();
  expect(readToken(token({ sub: "x".repeat(10_000) }))).toBeUndefined();
  const encode = (text: string): string => Buffer.from(text).toString("base64url");
  expect(readToken(`${encode('{"alg":"EdDSA","crit":["x"]}')}.${claims}.AA`)).toBeUndefined();
  for (const text of ["[]", "null", "1", '"x"', "{"]) {
    expect(readToken(`${header}.${encode(text)}.AA`)).toBeUndefined();
  }
});
