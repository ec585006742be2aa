/** What templates work with: JSON's values, and things of the caller's own kinds. */
import { TemplateError } from "./tokens.ts";

/** A value of the caller's own kinds. */
export interface Thing {
  /** As `{{ . }}` prints it. */
  readonly text: string;
  /** A field, or a method without arguments. @throws TemplateError when there is none */
  field(name: string, args: readonly Value[]): Value;
}

/** undefined: what a map has not, or no value at all; null: Go's nil. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Thing
  | readonly Value[]
  | ReadonlyMap<string, Value>;

export type TemplateFunction = (args: readonly Value[]) => Value;

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

export function isThing(value: Value): value is Thing {
  return typeof value === "object" && value !== null && !isList(value) && !isMap(value);
}

/** As Go calls the type that encoding/json would make of it. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return "<nil>";
  if (isList(value)) return "[]interface {}";
  if (isMap(value)) return "map[string]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value;
}

/** Go's truth: not empty, not 0. */
export function isTrue(value: Value): boolean {
  if (isMap(value)) return value.size > 0;
  return isList(value) ? value.length > 0 : Boolean(value);
}

/** In the order in which Go goes through a map. */
export function sortedEntries(map: ReadonlyMap<string, Value>): readonly [string, Value][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** As fmt's %v prints it. */
export function printed(value: Value): string {
  if (isList(value)) return `[${value.map(printed).join(" ")}]`;
  if (isMap(value)) {
    const pairs = sortedEntries(value).map(([key, one]) => `${key}:${printed(one)}`);
    return `map[${pairs.join(" ")}]`;
  }
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "number") return numberText(value);
  return isThing(value) ? value.text : String(value);
}

/** Whole numbers are integers; others have an exponent from 1e+06 on, or below 1e-04, as Go's. */
function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) return `${digits}e${exponentText(exponent)}`;
  return String(value);
}

export function exponentText(exponent: number): string {
  return `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** A value of JSON as a template sees it. @throws TemplateError for what JSON does not have */
export function toValue(json: unknown): Value {
  if (json === null || json === undefined) return null;
  if (Array.isArray(json)) return json.map(toValue);
  if (typeof json === "object") {
    return new Map(Object.entries(json).map(([key, one]) => [key, toValue(one)]));
  }
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean") {
    return json;
  }
  throw new TemplateError(`a ${typeof json} is no value of JSON`);
}

/** The other way round; a thing is its text. */
export function toJson(value: Value): unknown {
  if (isList(value)) return value.map(toJson);
  if (isMap(value)) return Object.fromEntries(sortedEntries(value).map(([k, v]) => [k, toJson(v)]));
  if (value === undefined) return null;
  return isThing(value) ? value.text : value;
}
