/**
 * A list that can be sorted and filtered, and of which only what is seen is drawn: thousands of
 * rows do not stutter.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { counted, inOrder } from "../format.ts";

/** Of each row, in pixels: the style sheet says the same. */
const ROW_HEIGHT = 40;
/** Drawn above and below of what is seen. */
const MARGIN_ROWS = 12;

export interface Column<T> {
  readonly name: string;
  /** What rows are sorted and filtered by. */
  readonly text: (row: T) => string;
  /** What is shown; without it, the text. */
  readonly show?: (row: T) => ComponentChildren;
  /** Left out where the page is narrow. */
  readonly isMinor?: boolean;
}

interface TableProps<T> {
  /** For screen readers. */
  readonly title: string;
  /** One row: "server". */
  readonly word: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
}

export function Table<T>({ title, word, rows, columns, keyOf }: TableProps<T>) {
  const [wanted, want] = useState("");
  const [order, sortBy] = useState({ name: columns[0]?.name ?? "", down: false });
  const [top, scrolledTo] = useState(0);
  const [height, measured] = useState(800);
  const shown = useMemo(() => arranged(rows, columns, wanted, order), [rows, wanted, order]);
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - MARGIN_ROWS);
  const last = Math.min(shown.length, Math.ceil((top + height) / ROW_HEIGHT) + MARGIN_ROWS);
  const click = (name: string): void =>
    sortBy({ name, down: order.name === name ? !order.down : false });
  return (
    <div class="list">
      <p class="tools">
        <label>
          Filter <input type="search" value={wanted} onInput={(e) => want(e.currentTarget.value)} />
        </label>
        <span class="quiet" role="status">
          {wanted === "" ? "" : `${shown.length.toLocaleString("en")} of `}
          {counted(rows.length, word)}
        </span>
      </p>
      <section
        class="scroll"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
        tabIndex={0}
        aria-label={title}
        ref={(element) => {
          if (element !== null) measured(element.clientHeight);
        }}
        onScroll={(event) => scrolledTo(event.currentTarget.scrollTop)}
      >
        <table aria-rowcount={shown.length + 1}>
          <thead>
            <tr>
              {columns.map((column) => (
                <Heading key={column.name} column={column} order={order} click={click} />
              ))}
            </tr>
          </thead>
          <tbody>
            <Gap rows={first} columns={columns.length} />
            {shown.slice(first, last).map((row, i) => (
              <tr key={keyOf(row)} aria-rowindex={first + i + 2}>
                {columns.map(({ name, text, show, isMinor }) => (
                  <td key={name} class={isMinor === true ? "minor" : ""}>
                    {show === undefined ? text(row) : show(row)}
                  </td>
                ))}
              </tr>
            ))}
            <Gap rows={shown.length - last} columns={columns.length} />
          </tbody>
        </table>
      </section>
    </div>
  );
}

interface Order {
  readonly name: string;
  readonly down: boolean;
}

function Heading<T>(props: { column: Column<T>; order: Order; click: (name: string) => void }) {
  const { name, isMinor } = props.column;
  const isSorted = props.order.name === name;
  const sort = isSorted ? (props.order.down ? "descending" : "ascending") : "none";
  return (
    <th scope="col" aria-sort={sort} class={isMinor === true ? "minor" : ""}>
      <button type="button" onClick={() => props.click(name)}>
        {name}
        <span aria-hidden="true">{isSorted ? (props.order.down ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}

/** As high as the rows which are not drawn. */
function Gap({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="gap">
      <td colSpan={columns} style={{ height: `${rows * ROW_HEIGHT}px` }} />
    </tr>
  );
}

/** Each word must be somewhere in the row. */
function arranged<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  wanted: string,
  order: Order,
): readonly T[] {
  const words = wanted
    .toLowerCase()
    .split(/\s+/)
    .filter((one) => one !== "");
  const has = (row: T): boolean => {
    const text = columns
      .map((one) => one.text(row))
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const column = columns.find((one) => one.name === order.name);
  const found = words.length === 0 ? [...rows] : rows.filter(has);
  if (column === undefined) return found;
  const sign = order.down ? -1 : 1;
  return found.sort((a, b) => sign * inOrder(column.text(a), column.text(b)));
}
