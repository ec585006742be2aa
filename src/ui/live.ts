/**
 * Answers that are kept fresh while somebody looks at them: asked again after some seconds, or when
 * an event says that they have changed; lists of the servers' state by blocking queries. A page in
 * the background asks for nothing.
 *
 * @module
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, errorText } from "./ask.ts";

/** Several events at once are one change. */
const SETTLE_MS = 150;
const RETRY_MAX_MS = 15_000;
/** A server holds the answer back so long at most, if nothing changes. */
const WAIT_SECONDS = 60;
/** Between questions to an agent that does not hold them back. */
const UNBLOCKED_MS = 5000;

export class Live<T> {
  /** What was answered last. */
  readonly value: Signal<T | undefined> = signal(undefined);
  /** Why the last question was not answered; "" if it was. */
  readonly problem = signal("");
  readonly #path: string;
  /** Undefined: it blocks until there is something newer. */
  readonly #everyMs: number | undefined;
  /** Of the last answer; "" before it, and for what does not block. */
  #index = "";
  /** Ends the question that waits. */
  #stop = new AbortController();
  #users = 0;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  /** The agent does wait for changes, as far as the last answer shows. */
  #isHeldBack = true;
  #isStale = false;

  /** @param everyMs asked again after so long, change or not; left out: the agent can block */
  constructor(path: string, everyMs?: number) {
    this.#path = path;
    this.#everyMs = everyMs;
  }

  /** @returns to be called when nobody looks any more */
  hold(): () => void {
    this.#users += 1;
    if (this.#users === 1) {
      document.addEventListener("visibilitychange", this.#looked);
      void this.#ask();
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      document.removeEventListener("visibilitychange", this.#looked);
      clearTimeout(this.#timer);
      this.#end();
    };
  }

  /** It has changed, as far as somebody has heard. A question that waits hears it itself. */
  refresh(): void {
    this.#isStale = this.#everyMs !== undefined || !this.#asking;
    if (this.#users > 0 && !this.#asking) this.#in(SETTLE_MS);
  }

  /** As somebody else, who may see other things. */
  renew(): void {
    this.#end();
    this.#isStale = true;
    if (this.#users > 0 && !this.#asking) this.#in(SETTLE_MS);
  }

  readonly #looked = (): void => {
    if (document.hidden) this.#end();
    else this.refresh();
  };

  #end(): void {
    this.#index = "";
    if (this.#everyMs === undefined) this.#stop.abort();
    this.#stop = new AbortController();
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    this.#isStale = false;
    const { signal } = this.#stop;
    const [before, since] = [this.#index, Date.now()];
    try {
      const response = await ask(this.#waiting(), { signal, waitMs: WAIT_SECONDS * 1000 });
      this.value.value = await response.json();
      if (!signal.aborted) this.#index = response.headers.get("x-nomad-index") ?? "";
      this.#isHeldBack = this.#index !== before || Date.now() - since > UNBLOCKED_MS;
      this.problem.value = "";
      this.#failures = 0;
    } catch (error) {
      if (!signal.aborted) {
        this.problem.value = errorText(error);
        this.#failures += 1;
        this.#index = "";
      }
    }
    this.#asking = false;
    if (this.#users > 0) this.#in(this.#isStale || signal.aborted ? SETTLE_MS : this.#pauseMs());
  }

  #waiting(): string {
    if (this.#everyMs !== undefined || this.#index === "") return this.#path;
    const sign = this.#path.includes("?") ? "&" : "?";
    return `${this.#path}${sign}index=${this.#index}&wait=${WAIT_SECONDS}s`;
  }

  #pauseMs(): number {
    if (this.#failures > 0) return Math.min(RETRY_MAX_MS, 1000 * 2 ** this.#failures);
    return this.#everyMs ?? (this.#isHeldBack ? SETTLE_MS : UNBLOCKED_MS);
  }
}

/** Its last answer, kept fresh while this component is shown. */
export function useLive<T>(live: Live<T>): T | undefined {
  useEffect(() => live.hold(), [live]);
  return live.value.value;
}
