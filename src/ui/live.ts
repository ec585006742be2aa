/**
 * Answers that are kept fresh while somebody looks at them: asked again after some seconds, or when
 * an event says that they have changed. A page in the background asks for nothing.
 *
 * @module
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { askJson, errorText } from "./ask.ts";

/** Several events at once are one change. */
const SETTLE_MS = 150;
const RETRY_MAX_MS = 15_000;

export class Live<T> {
  /** What was answered last. */
  readonly value: Signal<T | undefined> = signal(undefined);
  /** Why the last question was not answered; "" if it was. */
  readonly problem = signal("");
  readonly #path: string;
  readonly #everyMs: number;
  #users = 0;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #isStale = false;

  /** @param everyMs asked again after so long, change or not */
  constructor(path: string, everyMs: number) {
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
    };
  }

  /** It has changed, as far as somebody has heard. */
  refresh(): void {
    this.#isStale = true;
    if (this.#users > 0 && !this.#asking) this.#in(SETTLE_MS);
  }

  readonly #looked = (): void => {
    if (!document.hidden) this.refresh();
  };

  #in(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    this.#isStale = false;
    try {
      this.value.value = await askJson<T>(this.#path);
      this.problem.value = "";
      this.#failures = 0;
    } catch (error) {
      this.problem.value = errorText(error);
      this.#failures += 1;
    }
    this.#asking = false;
    if (this.#users === 0) return;
    const pause = Math.min(RETRY_MAX_MS, 1000 * 2 ** this.#failures);
    const next = this.#failures > 0 ? Math.min(this.#everyMs, pause) : this.#everyMs;
    this.#in(this.#isStale ? SETTLE_MS : next);
  }
}

/** Its last answer, kept fresh while this component is shown. */
export function useLive<T>(live: Live<T>): T | undefined {
  useEffect(() => live.hold(), [live]);
  return live.value.value;
}
