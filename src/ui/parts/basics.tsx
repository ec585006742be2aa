/** Small things that all views are made of. */
import type { ComponentChildren, TargetedMouseEvent } from "preact";
import { useState } from "preact/hooks";
import { goTo, pathOf } from "../route.ts";

/** good: protected, alive; bad: in the clear, failed; warn: soon; none: says nothing. */
type Tone = "good" | "bad" | "warn" | "none";

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  // Not by colour alone.
  const sign = { good: "✓", bad: "✕", warn: "!", none: "·" }[tone];
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{sign}</span> {children}
    </span>
  );
}

export function toneOfState(state: string): Tone {
  if (state === "alive" || state === "ready") return "good";
  if (state === "failed" || state === "down" || state === "disconnected") return "bad";
  return state === "leaving" || state === "initializing" ? "warn" : "none";
}

export function toneOfDays(days: number): Tone {
  if (days < 7) return "bad";
  return days < 30 ? "warn" : "good";
}

/** Within the page, without loading it again. */
export function Link(props: { to: string; children: ComponentChildren; current?: boolean }) {
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    goTo(props.to);
  };
  const current = props.current === true ? { "aria-current": "page" as const } : {};
  return (
    <a href={props.to} onClick={follow} {...current}>
      {props.children}
    </a>
  );
}

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** In the reader's zone; UTC under the pointer. */
export function Time({ at }: { at: string | number }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>–</span>;
  const utc = date.toISOString();
  return (
    <time dateTime={utc} title={`${utc.slice(0, 19).replace("T", " ")} UTC`}>
      {LOCAL.format(date)}
    </time>
  );
}

/** A command that does the same, to be copied. */
export function Command({ text }: { text: string }) {
  const [said, say] = useState("Copy");
  const copy = async (): Promise<void> => {
    // Browsers give the clipboard to pages over TLS, or on localhost.
    const done = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    say(done === true ? "Copied" : "Select it");
    setTimeout(() => say("Copy"), 2000);
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${text}`}>
        <span aria-live="polite">{said}</span>
      </button>
    </span>
  );
}

export function Panel(props: { title: string; children: ComponentChildren; wide?: boolean }) {
  return (
    <section class={props.wide === true ? "panel wide" : "panel"}>
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

/** What is shown until there is an answer, or why there is none. */
export function Missing({ problem, what }: { problem: string; what: string }) {
  if (problem === "") return <p class="quiet">Asking for {what} …</p>;
  return (
    <p class="quiet" role="status">
      {what} cannot be shown: {problem}
      {/Permission denied|ACL token/.test(problem) ? (
        <>
          . <Link to={pathOf("sign-in")}>Sign in with a token</Link>
        </>
      ) : null}
    </p>
  );
}

export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
