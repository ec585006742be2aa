/**
 * Log lines as hclog writes them, since people and their tools know Nomad's:
 * `    2026-11-25T06:43:57.708Z [INFO]  nomad: serf: EventMemberJoin: s1.global 127.0.0.1`.
 *
 * @module
 */
import { writeSync } from "node:fs";
import type { Log, LogFields } from "./host.ts";
import { visible } from "./visible.ts";

export const LOG_LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

interface LogOptions {
  readonly level: LogLevel;
  readonly json: boolean;
  /** Besides standard output. */
  readonly outputs: readonly LogOutput[];
}

/** A file, or the system's log. */
export interface LogOutput {
  /** @param bare the line without its time and level, for whoever has its own */
  line(level: LogLevel, text: string, bare: string): void;
  reopen(): void;
  close(): void;
}

/** Who else hears the log: at a level of its own, which may be below the agent's. */
export interface LogListener {
  readonly level: LogLevel;
  readonly json: boolean;
  line(text: string): void;
}

const STDOUT = 1;

/** The agent's log. */
export class LogSink {
  #level: LogLevel;
  readonly #json: boolean;
  readonly #outputs: readonly LogOutput[];
  readonly #listeners = new Set<LogListener>();
  /** Lines that wait for `release`; undefined: nothing waits. */
  #held: Uint8Array[] | undefined;

  constructor(options: LogOptions) {
    this.#level = options.level;
    this.#json = options.json;
    this.#outputs = options.outputs;
  }

  get level(): LogLevel {
    return this.#level;
  }

  setLevel(level: LogLevel): void {
    this.#level = level;
  }

  listen(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  logger(name: string): Log {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void =>
        this.#write(level, name, message, fields);
    return {
      trace: at("TRACE"),
      debug: at("DEBUG"),
      info: at("INFO"),
      warn: at("WARN"),
      error: at("ERROR"),
      named: (more) => this.logger(`${name}.${more}`),
    };
  }

  /** Keeps lines from standard output until `release`. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const bytes of held) put(STDOUT, bytes);
  }

  /** After somebody has moved a file away. */
  reopen(): void {
    for (const output of this.#outputs) output.reopen();
  }

  close(): void {
    for (const output of this.#outputs) output.close();
  }

  #write(level: LogLevel, name: string, message: string, fields: LogFields): void {
    const printed = isAtLeast(level, this.#level);
    if (!printed && this.#listeners.size === 0) return;
    const time = new Date().toISOString();
    const render = (json: boolean): string =>
      json
        ? jsonLine(time, level, name, message, fields)
        : textLine(time, level, name, message, fields);
    for (const listener of this.#listeners) {
      if (isAtLeast(level, listener.level)) listener.line(render(listener.json));
    }
    if (!printed) return;
    const line = render(this.#json);
    const bytes = new TextEncoder().encode(this.#json ? `${line}\n` : `    ${line}\n`);
    if (this.#held === undefined) put(STDOUT, bytes);
    else this.#held.push(bytes);
    if (this.#outputs.length === 0) return;
    const bare = this.#json ? line : messageText(name, message, fields);
    for (const output of this.#outputs) output.line(level, line, bare);
  }
}

function isAtLeast(level: LogLevel, than: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(than);
}

/** A full pipe or a closed terminal must not stop the agent. */
function put(file: number, bytes: Uint8Array): void {
  try {
    writeSync(file, bytes);
  } catch {
    // Nowhere to say so.
  }
}

function textLine(
  time: string,
  level: LogLevel,
  name: string,
  message: string,
  fields: LogFields,
): string {
  return `${time} ${`[${level}]`.padEnd(7)} ${messageText(name, message, fields)}`;
}

function messageText(name: string, message: string, fields: LogFields): string {
  const entries = Object.entries(fields);
  const tail = entries.map(([key, value]) => ` ${key}=${fieldText(value)}`).join("");
  return `${name}: ${visible(message)}${tail === "" ? "" : `:${tail}`}`;
}

function fieldText(value: LogFields[string]): string {
  const text = Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
  // A quoted value keeps its own escapes: two backslashes would be another text.
  if (text === "" || /[\s"=]/.test(text)) return visible(JSON.stringify(text));
  return visible(text);
}

function jsonLine(
  time: string,
  level: LogLevel,
  name: string,
  message: string,
  fields: LogFields,
): string {
  const line = JSON.stringify({
    "@level": level.toLowerCase(),
    "@message": message,
    "@module": name,
    "@timestamp": time.replace("Z", "000Z"),
    ...fields,
  });
  return visible(line);
}
