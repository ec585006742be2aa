/** An agent's log as it is written. */
import { useEffect, useRef, useState } from "preact/hooks";
import { askStream, errorText, lines } from "../ask.ts";

const LINES_MAX = 400;
const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"];

/** @param query of whom: "server_id=…", "node_id=…" or "" for the agent itself */
export function Log({ query }: { query: string }) {
  const [level, choose] = useState("INFO");
  const [isOpen, open] = useState(false);
  const [text, write] = useState<readonly string[]>([]);
  const [problem, fail] = useState("");
  const end = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const stop = new AbortController();
    write([]);
    fail("");
    const path = `/v1/agent/monitor?plain=true&log_level=${level}&${query}`;
    follow(path, stop.signal, (line) =>
      write((before) => [...before.slice(1 - LINES_MAX), line]),
    ).catch((error: unknown) => {
      if (!stop.signal.aborted) fail(errorText(error));
    });
    return () => stop.abort();
  }, [isOpen, level, query]);
  useEffect(() => {
    end.current?.scrollTo(0, end.current.scrollHeight);
  }, [text]);
  return (
    <div>
      <p class="tools">
        <button type="button" onClick={() => open(!isOpen)}>
          {isOpen ? "Stop" : "Follow the log"}
        </button>
        <label>
          Level{" "}
          <select value={level} onChange={(event) => choose(event.currentTarget.value)}>
            {LEVELS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </p>
      {problem === "" ? null : <p role="alert">{problem}</p>}
      {isOpen ? (
        <pre
          class="log"
          role="log"
          aria-label="Log"
          ref={end}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
          tabIndex={0}
        >
          {text.length === 0 ? "Nothing yet …" : text.join("\n")}
        </pre>
      ) : null}
    </div>
  );
}

async function follow(
  path: string,
  signal: AbortSignal,
  write: (line: string) => void,
): Promise<void> {
  const response = await askStream(path, signal);
  for await (const line of lines(response)) if (line !== "") write(line);
}
