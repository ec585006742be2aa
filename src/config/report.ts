/**
 * What reading a configuration comes to, besides the configuration: mistakes and warnings.
 *
 * @module
 */
import type { Position, Problem } from "./problem.ts";

/** More are counted only: nobody reads them, and a file may have one in every line. */
const KEPT_MAX = 100;

export class Report {
  readonly problems: Problem[];
  /** Keys of Nomad's that are set and have no effect here. */
  readonly ignored = new Set<string>();
  readonly #kept: { readonly name: string; readonly at: Position; readonly stays: Position }[] = [];
  readonly #misplaced = new Set<string>();
  /** A block may be asked for more than once, and is wrong each time. */
  readonly #failed = new Set<string>();

  constructor(problems: readonly Problem[]) {
    this.problems = [...problems];
  }

  get isFull(): boolean {
    return this.problems.length >= KEPT_MAX;
  }

  fail(message: string, at: Position | undefined, help?: string): void {
    if (this.isFull && this.problems.some(({ severity }) => severity === "error")) return;
    const once = `${message}\n${at === undefined ? "" : place(at)}`;
    if (this.#failed.has(once)) return;
    this.#failed.add(once);
    this.problems.push({ severity: "error", message, at, help });
  }

  warn(message: string, at: Position | undefined): void {
    if (this.isFull || this.#misplaced.has(message)) return;
    this.#misplaced.add(message);
    this.problems.push({ severity: "warning", message, at });
  }

  /** A later file tried to take back what an earlier one set. */
  keep(name: string, at: Position, stays: Position): void {
    this.#kept.push({ name, at, stays });
  }

  /** Call last: what is said once for many keys. */
  finish(): void {
    const [first] = this.#kept;
    if (first !== undefined) {
      const all = this.#kept.map(
        ({ name, at, stays }) => `${name} at ${place(at)} (${place(stays)} stays in force)`,
      );
      const message = `a later file takes nothing back with false, 0 or an empty text: ${all.join(", ")}`;
      const help = "take it out of the earlier file";
      this.problems.push({ severity: "warning", message, at: first.at, help });
    }
    if (this.ignored.size === 0) return;
    const names = [...this.ignored].join(", ");
    const message = `these keys of Nomad's have no effect in this agent: ${names}`;
    this.problems.push({ severity: "warning", message, at: undefined });
  }
}

function place({ file, line, column }: Position): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}
