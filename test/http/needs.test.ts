/** Every endpoint of the table is one that the walk over tokens knows, and the other way round. */
import { expect, test } from "bun:test";
import { declaredIn } from "../../src/http/endpoint.ts";
import { createTable } from "../../src/http/table.ts";
import { ENDPOINTS } from "../acl-expectations.ts";

test("the walk goes over the whole table, and over nothing else", () => {
  const app = createTable(Object({ context: {}, gate: {}, failed: () => undefined }));
  const declared = declaredIn(app).map(({ method, path }) => `${method} ${path}`);
  expect(declared.length).toBeGreaterThan(100);
  expect(declared.toSorted()).toEqual(Object.keys(ENDPOINTS).toSorted());
});
