/** Tables as Nomad prints them: header first, columns padded, two spaces between, no rule. */

import { visible } from "../host/visible.ts";

/**
 * An empty cell prints `<none>`; the last column is not padded. Cells may hold what a member chose:
 * none of them begins a row of its own.
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === "" ? "<none>" : visible(cell))));
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Names and values, one pair a line, as Nomad shows one thing. */
export function formatPairs(pairs: readonly (readonly [string, unknown])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs
    .map(([name, value]) => `${name.padEnd(width)} = ${visible(String(value))}`)
    .join("\n");
}
