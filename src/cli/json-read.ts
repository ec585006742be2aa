/** Reading answers of an agent of any version: a missing field is empty, not a crash. */
import { isObject } from "../config/tree.ts";
import { visible } from "../host/visible.ts";
import { CommandError } from "./output.ts";

/** @throws CommandError that says whose answer it was */
export function parseAnswer(text: string, from: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`the answer of ${from} is not JSON: is that an agent's HTTP API?`);
  }
}

export function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

/** For people: a text that a member or a client chose begins no line and moves no cursor. */
export function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return found === undefined || found === null ? "" : visible(String(found));
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}
