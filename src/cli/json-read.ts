/** Reading answers of an agent of any version: a missing field is empty, not a crash. */
import { isObject } from "../config/tree.ts";

export function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

export function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return found === undefined || found === null ? "" : String(found);
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}
