/**
 * The agent's event stream, followed while the page is in the foreground: browsers open only a few
 * connections to one host, for all tabs together.
 *
 * @module
 */
import { signal } from "@preact/signals";
import type { AgentEvent } from "./answers.ts";
import { askStream, errorText, lines, Refused } from "./ask.ts";
import { changed } from "./store.ts";

/** Kept of what was heard. */
const EVENTS_MAX = 500;
const [RETRY_MS, RETRY_MAX_MS] = [1000, 15_000];

export interface Heard extends AgentEvent {
  readonly atMs: number;
  /** Of this page's count. */
  readonly number: number;
}

/** The last ones, newest first. */
export const heard = signal<readonly Heard[]>([]);
/** Why there are none to be heard; "" when there are. */
export const eventProblem = signal("");

let count = 0;
let stop: AbortController | undefined;

export function followEvents(): void {
  document.addEventListener("visibilitychange", restart);
  restart();
}

/** As somebody else, too. */
export function restart(): void {
  stop?.abort();
  stop = undefined;
  if (document.hidden) return;
  stop = new AbortController();
  void follow(stop.signal);
}

async function follow(signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const response = await askStream("/v1/event/stream?topic=*", signal);
      eventProblem.value = "";
      failures = 0;
      // What has happened while nobody listened.
      changed("Node");
      changed("");
      for await (const line of lines(response)) take(line);
    } catch (error) {
      if (signal.aborted) return;
      eventProblem.value = errorText(error);
      // Not here, or not for us: the lists are asked for again by themselves.
      if (error instanceof Refused && error.status < 500) return;
    }
    await pause(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures), signal);
  }
}

function take(line: string): void {
  // An empty object now and then says that the stream is alive.
  if (line.trim() === "" || line === "{}") return;
  const batch: { Events?: readonly AgentEvent[] } = JSON.parse(line);
  const fresh = (batch.Events ?? []).map((event) => {
    count += 1;
    return { ...event, atMs: Date.now(), number: count };
  });
  heard.value = [...fresh.toReversed(), ...heard.value].slice(0, EVENTS_MAX);
  for (const topic of new Set(fresh.map((one) => one.Topic))) changed(topic);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
