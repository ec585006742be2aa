/** `nomad event stream`: what happens on a server, a line each, until somebody has enough. */
import { nearest } from "../config/suggest.ts";
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { TOPICS } from "./completion.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print, printError } from "./output.ts";

interface StreamFlags extends ApiFlags {
  readonly topic?: readonly string[];
  readonly index?: string;
  readonly json?: boolean;
}

/** Until the agent ends it, or Ctrl-C does. */
export async function eventStream(flags: StreamFlags): Promise<void> {
  const { topic = [], index = "0", namespace, json = false } = flags;
  const query = new URLSearchParams(topic.map((one): [string, string] => ["topic", one]));
  query.set("index", index);
  if (namespace !== undefined) query.set("namespace", namespace);
  const client = new ApiClient(flags, process.env);
  for (const one of topic) warnOfTopic(one);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  let end = "";
  const lines = new Lines((line) => {
    end = show(line, json) ?? end;
  });
  const asking = { piece: (bytes: Uint8Array) => lines.push(bytes), stop: stop.signal };
  await client.ok("GET", `${PATHS.eventStream}?${query}`, asking).catch((error: unknown) => {
    if (stop.signal.aborted) return;
    if (error instanceof CommandError && error.code === 0) throw error;
    throw new CommandError(`Error reading events: ${errorText(error)}`);
  });
  if (end !== "") throw new CommandError(`Error reading events: ${end}`);
}

/** A Nomad agent has more topics, so that it is no error: but here nothing would ever come. */
function warnOfTopic(given: string): void {
  const [name = ""] = given.split(":");
  if (name === "*" || TOPICS.includes(name)) return;
  const guess = nearest(name, TOPICS);
  const hint = guess === undefined ? `they are ${TOPICS.join(", ")}` : `did you mean ${guess}?`;
  printError(`==> WARNING: this agent has no events of the topic ${JSON.stringify(name)}: ${hint}`);
}

/** @returns what is no JSON: why the stream ends */
function show(line: string, json: boolean): string | undefined {
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    return line;
  }
  const events = listField(found, "Events");
  // A sign of life is for programs that wait, not for people.
  if (events.length === 0) return undefined;
  if (json) print(line);
  else for (const one of events) print(textOf(one));
  return undefined;
}

function textOf(event: unknown): string {
  const index = String(field(event, "Index") ?? "").padStart(8);
  const [topic = "", type = ""] = ["Topic", "Type"].map((name) => textField(event, name));
  return `${index}  ${topic.padEnd(9)}  ${type.padEnd(20)}  ${textField(event, "Key")}`;
}

/** Bytes in, whole lines out. */
class Lines {
  readonly #line: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") this.#line(line);
  }
}
