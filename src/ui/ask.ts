/**
 * Asks this page's own agent; the page's policy forbids to ask anybody else.
 *
 * @module
 */
import { signal } from "@preact/signals";

/** For one answer; a blocking query adds what it waits for. */
const ANSWER_MS = 20_000;
const TOKEN = "nomad-token";

/** The agent answers, or since when it does not. */
export const silentSinceMs = signal<number | undefined>(undefined);

/** The secret of an ACL token; "" is nobody's. Ends with the tab, and is in no address. */
export const token = signal(sessionStorage.getItem(TOKEN) ?? "");

export function signIn(secret: string): void {
  token.value = secret;
  if (secret === "") sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, secret);
}

/** The agent has answered, but not with what was asked for. */
export class Refused extends Error {
  readonly status: number;

  /** @param text the agent's own words */
  constructor(status: number, text: string) {
    super(text === "" ? `the agent answers ${status}` : text);
    this.status = status;
  }
}

interface Asked {
  readonly method?: "GET" | "PUT" | "DELETE";
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** How long the agent itself may wait for a change, milliseconds. */
  readonly waitMs?: number;
}

/** @throws Refused, or Error when the agent cannot be reached */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", body, signal: stop, waitMs = 0 } = asked;
  const limit = AbortSignal.timeout(ANSWER_MS + waitMs);
  const response = await open(path, {
    method,
    headers: headers(),
    body: body === undefined ? null : JSON.stringify(body),
    signal: stop === undefined ? limit : AbortSignal.any([stop, limit]),
  });
  // A group that is not well is described with this code.
  const isDescribed = response.status === 429 && isJson(response);
  if (response.ok || isDescribed) return response;
  throw new Refused(response.status, (await response.text()).trim());
}

function isJson(response: Response): boolean {
  return (response.headers.get("content-type") ?? "").startsWith("application/json");
}

/** An answer that goes on as long as somebody reads it. @throws as ask() */
export async function askStream(path: string, stop: AbortSignal): Promise<Response> {
  const response = await open(path, { headers: headers(), signal: stop });
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  return response;
}

/** What the answer is made of is known: page and agent are one program. */
export async function askJson<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await ask(path, asked);
  return response.json();
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function headers(): Record<string, string> {
  return token.value === "" ? {} : { "X-Nomad-Token": token.value };
}

async function open(path: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(path, { ...init, cache: "no-store", redirect: "error" });
    silentSinceMs.value = undefined;
    return response;
  } catch (error) {
    const isOurs = error instanceof DOMException && error.name === "AbortError";
    if (!isOurs) silentSinceMs.value ??= Date.now();
    throw isOurs ? error : new Error("the agent does not answer");
  }
}

/** Lines of text as they come. */
export async function* lines(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  let rest = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + part).split("\n");
    rest = whole.pop() ?? "";
    yield* whole;
  }
  if (rest !== "") yield rest;
}
