import { expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import { type Identity, Members, NameTable, NO_VERSIONS } from "../../src/protocol/swim/members.ts";

const identity = (port: number): Identity => ({
  ip: Uint8Array.of(10, 0, 0, 1),
  port,
  meta: null,
  versions: NO_VERSIONS,
});

test("names that nobody knows any more take no room", () => {
  const names = new NameTable();
  const members = new Members(createPrng(1), names);
  members.insert("stays", identity(1), 0);
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 10; i++) members.insert(`${round}-${i}`, identity(i), round);
    expect([...members.all()].map(({ name }) => name).sort()).toContain(`${round}-9`);
    members.drop(({ name }) => name !== "stays");
  }
  expect(names.count).toBe(11);
  expect([...members.all()].map(({ name, port }) => [name, port])).toEqual([["stays", 1]]);
  expect(names.find("99-9")).toBeUndefined();
});

test("a name stays while another table knows it, and a number that is free again is nobody's", () => {
  const names = new NameTable();
  const [one, other] = [new Members(createPrng(1), names), new Members(createPrng(2), names)];
  one.insert("a", identity(1), 0);
  other.insert("a", identity(1), 0);
  one.drop(() => true);
  expect(one.get("a")).toBeUndefined();
  expect(other.get("a")?.name).toBe("a");
  other.drop(() => true);
  one.insert("b", identity(2), 1); // Has the number that "a" had.
  expect(names.count).toBe(1);
  expect(other.get("b")).toBeUndefined();
  expect(other.get("a")).toBeUndefined();
  expect(one.get("b")).toMatchObject({ name: "b", port: 2, incarnation: 0, state: "dead" });
});
