/** A request's JSON, read as Go reads it: names in any case, null is zero, more is ignored. */
import { isObject } from "../config/tree.ts";
import { type GoTime, timeOf } from "../wire/codec.ts";
import { nanosOf, parseDurationMs } from "../wire/duration.ts";
import { ApiError } from "./errors.ts";

export class JsonBody {
  readonly #fields: ReadonlyMap<string, unknown>;

  private constructor(fields: Readonly<Record<string, unknown>>) {
    const named = Object.entries(fields).map(([name, value]): [string, unknown] => {
      return [name.toLowerCase(), value];
    });
    this.#fields = new Map(named);
  }

  /** @throws ApiError 400 */
  static parse(text: string): JsonBody {
    if (text.trim() === "") throw new ApiError(400, "Request body is empty");
    let tree: unknown;
    try {
      tree = JSON.parse(text);
    } catch {
      throw new ApiError(400, "the body is not JSON");
    }
    if (!isObject(tree)) throw new ApiError(400, "the body is not a JSON object");
    return new JsonBody(tree);
  }

  flag(name: string): boolean {
    const value = this.#of(name) ?? false;
    return typeof value === "boolean" ? value : wrong(name, "true or false");
  }

  text(name: string): string {
    const value = this.#of(name) ?? "";
    return typeof value === "string" ? value : wrong(name, "a text");
  }

  /** A duration in nanoseconds. */
  nanos(name: string): bigint {
    const value = this.#of(name) ?? 0;
    const fits = typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 63;
    return fits ? BigInt(value) : wrong(name, "a duration in nanoseconds");
  }

  /** The same, or as Go writes it: "24h". */
  duration(name: string): bigint {
    const value = this.#of(name) ?? 0;
    if (typeof value !== "string") return this.nanos(name);
    const ms = value === "" ? 0 : parseDurationMs(value);
    const fits = ms !== undefined && Math.abs(ms) < 9e12;
    return fits ? nanosOf(ms) : wrong(name, "a duration, for example 24h");
  }

  /** null: it is not there, or null. */
  flagOrNull(name: string): boolean | null {
    const value = this.#of(name) ?? null;
    return value === null ? null : this.flag(name);
  }

  /** undefined: it is not there, or null. */
  body(name: string): JsonBody | undefined {
    const value = this.#of(name) ?? undefined;
    if (value === undefined) return undefined;
    return isObject(value) ? new JsonBody(value) : wrong(name, "an object");
  }

  /** null: it is not there, or null. */
  textList(name: string): readonly string[] | null {
    return (
      this.#list(name)?.map((one) => (typeof one === "string" ? one : wrong(name, "texts"))) ?? null
    );
  }

  /** The same, of objects. */
  bodies(name: string): readonly JsonBody[] | null {
    const all = this.#list(name);
    return all?.map((one) => (isObject(one) ? new JsonBody(one) : wrong(name, "objects"))) ?? null;
  }

  #list(name: string): readonly unknown[] | null {
    const value = this.#of(name) ?? null;
    if (value === null || Array.isArray(value)) return value;
    return wrong(name, "a list");
  }

  /** null: it is not there, or null. As RFC 3339 writes it. */
  time(name: string): GoTime | null {
    const value = this.text(name);
    if (value === "") return null;
    const [, seconds, fraction = "", zone] =
      /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value) ?? [];
    const ms = Date.parse(`${seconds}${zone}`);
    if (Number.isNaN(ms)) return wrong(name, "a time, for example 2026-01-02T15:04:05Z");
    return { ...timeOf(ms), nanos: Number(fraction.padEnd(9, "0")) };
  }

  /** null: it is not there, or null. Its own names are as they are written. */
  texts(name: string): ReadonlyMap<string, string> | null {
    const value = this.#of(name) ?? null;
    if (value === null) return null;
    const entries = isObject(value) ? Object.entries(value) : wrong(name, "an object");
    return new Map(
      entries.map(([key, one]) => [key, typeof one === "string" ? one : wrong(name, "of texts")]),
    );
  }

  /** null: it is not there, or null. */
  list(name: string): readonly string[] | null {
    const value = this.#of(name) ?? null;
    if (value === null) return null;
    if (!Array.isArray(value)) return wrong(name, "a list");
    return value.map((one) => (typeof one === "string" ? one : wrong(name, "a list of texts")));
  }

  /** As `texts`, and null is a value, too. */
  textsOrNull(name: string): ReadonlyMap<string, string | null> | null {
    const value = this.#of(name) ?? null;
    if (value === null) return null;
    const entries = isObject(value) ? Object.entries(value) : wrong(name, "an object");
    return new Map(
      entries.map(([key, one]) => {
        const fits = typeof one === "string" || one === null;
        return [key, fits ? one : wrong(name, "of texts, or null")];
      }),
    );
  }

  #of(name: string): unknown {
    return this.#fields.get(name.toLowerCase());
  }
}

function wrong(name: string, what: string): never {
  throw new ApiError(400, `${name} must be ${what}`);
}
