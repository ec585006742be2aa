/** Tables and lines of commands, with texts that a member chose. */
import { expect, test } from "bun:test";
import { formatPairs, formatTable } from "../../src/cli/columns.ts";

test("a cell cannot begin a row, hide one or reach the terminal", () => {
  const evil = "s9\ns1.global  10.0.0.1\u001b[2K\r\u202eevil\u009b";
  const table = formatTable([
    ["Name", "Status"],
    [evil, ""],
  ]);
  expect(table.split("\n")).toHaveLength(2);
  expect(table).toContain("s9\\ns1.global  10.0.0.1\\u001b[2K\\r\\u202eevil\\u009b  <none>");
  expect(formatPairs([["Name", evil]]).split("\n")).toHaveLength(1);
});
