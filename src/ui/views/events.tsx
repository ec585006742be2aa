/** What happens, as it happens. */
import { useState } from "preact/hooks";
import { eventProblem, type Heard, heard } from "../events.ts";
import { inOrder } from "../format.ts";
import { Badge, Command, Time } from "../parts/basics.tsx";

/** Drawn at once. */
const SHOWN_MAX = 200;

export function Events() {
  const [topic, choose] = useState("");
  const [paused, pause] = useState<readonly Heard[]>();
  const all = paused ?? heard.value;
  const topics = [...new Set(all.map((one) => one.Topic))].sort(inOrder);
  const shown = all.filter((one) => topic === "" || one.Topic === topic).slice(0, SHOWN_MAX);
  return (
    <>
      <h1>Events</h1>
      <p class="tools">
        <label>
          Topic{" "}
          <select value={topic} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">all</option>
            {topics.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-pressed={paused !== undefined}
          onClick={() => pause(paused === undefined ? heard.value : undefined)}
        >
          {paused === undefined ? "Pause" : "Go on"}
        </button>
        {eventProblem.value === "" ? (
          <Badge tone="good">live</Badge>
        ) : (
          <Badge tone="warn">not live: {eventProblem.value}</Badge>
        )}
      </p>
      {shown.length === 0 ? <p class="quiet">Nothing since this page was opened.</p> : null}
      <ol class="events" aria-live="polite" aria-relevant="additions">
        {shown.map((one) => (
          <Line key={one.number} event={one} />
        ))}
      </ol>
      <Command text="nomad operator api /v1/event/stream" />
    </>
  );
}

function Line({ event }: { event: Heard }) {
  return (
    <li>
      <details>
        <summary>
          <Time at={event.atMs} /> <strong>{event.Topic}</strong> {event.Type}{" "}
          <code>{event.Key}</code>
        </summary>
        <pre>{JSON.stringify(event.Payload, null, 2)}</pre>
      </details>
    </li>
  );
}
