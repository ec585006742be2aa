/** Where values end: as the reader has it, in whatever pieces they come, and each byte once. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { MsgpackReader } from "../../src/wire/msgpack-reader.ts";
import { ValueScanner } from "../../src/wire/msgpack-scan.ts";
import { hex } from "../vectors.ts";

/** Where the value at the start ends; -1: it cannot be one; undefined: it is not whole. */
function skipped(bytes: Uint8Array): number | undefined {
  const reader = new MsgpackReader(bytes);
  reader.skip();
  if (reader.state === "short") return undefined;
  return reader.ok ? reader.at : -1;
}

/** The same by the scanner, fed with pieces of these lengths; and what it looked at. */
function scanned(bytes: Uint8Array, pieces: readonly number[]) {
  const scanner = new ValueScanner();
  let at = 0;
  let work = 0;
  for (let i = 0, end = 0; end < bytes.length && !scanner.done && !scanner.bad; i++) {
    end = Math.min(bytes.length, end + (pieces[i % pieces.length] ?? 1));
    const next = scanner.read(bytes.subarray(0, end), at);
    work += next - at;
    at = next;
  }
  return { end: scanner.bad ? -1 : scanner.done ? at : undefined, work, scanner };
}

const HEADS = Array.from({ length: 256 }, (_, head) => head);

test("every head, with nothing, little and enough behind it", () => {
  for (const head of HEADS) {
    for (const fill of [0x00, 0x01, 0xc0, 0xa1]) {
      for (const length of [0, 1, 2, 3, 5, 9, 17, 40, 700]) {
        const bytes = new Uint8Array(1 + length).fill(fill);
        bytes[0] = head;
        expect([head, fill, length, scanned(bytes, [1]).end]).toEqual([
          head,
          fill,
          length,
          skipped(bytes),
        ]);
      }
    }
  }
});

test("random bytes in random pieces end where the reader says", () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
  const property = fc.property(fc.uint8Array({ maxLength: 300 }), pieces, (bytes, lengths) => {
    const { end, work } = scanned(bytes, lengths);
    expect(work).toBeLessThanOrEqual(bytes.length);
    // The reader gives up on nesting without end, which the scanner need not notice.
    const expected = skipped(bytes);
    if (expected !== -1 || end === -1) expect(end).toBe(expected);
  });
  fc.assert(property, { numRuns: 5000 });
});

test("a recorded body byte by byte: each byte is looked at once", () => {
  const body = hex("83a14193010203a142c403aabbcca143d9026162");
  const { end, work } = scanned(body, [1]);
  expect([end, work]).toEqual([body.length, body.length]);
});

test("what a head promises counts before it comes", () => {
  const { scanner } = scanned(hex("dd7fffffff"), [5]);
  expect(scanner.missing).toBe(0x7fffffff);
  const nested = scanned(hex("dfffffffffdfffffffff"), [10]).scanner;
  expect(nested.missing).toBeGreaterThan(2 ** 33);
  const text = scanned(hex("dbffffffff41"), [6]).scanner;
  expect(text.missing).toBe(0xffffffff - 1);
});
