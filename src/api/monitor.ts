/** GET /v1/agent/monitor: an agent's log as it is written, this one's or another server's. */

import { parseGoBool } from "../config/go-bool.ts";
import { LOG_LEVELS } from "../host/log.ts";
import { after } from "../host/timer.ts";
import { MONITOR } from "../service/methods/monitor-method.ts";
import { encodeValue, structOf } from "../wire/codec.ts";
import {
  type MonitorRequest,
  monitorRequest,
  type StreamFrame,
  streamFrame,
} from "../wire/rpc-stream.ts";
import type { AgentFacts, ApiContext, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";

interface MonitorQuery {
  readonly region?: string;
  readonly log_level?: string;
  readonly log_json?: string;
  readonly log_include_location?: string;
  readonly plain?: string;
  readonly node_id?: string;
  readonly server_id?: string;
}

interface MonitorAnswer {
  readonly plain: boolean;
  readonly body: ReadableStream<Uint8Array>;
}

/** An error comes at once, or it is none: log lines may take their time. */
const FIRST_FRAME_MS = 250;

/** @throws ApiError with Nomad's texts */
export async function monitorLog(
  context: AgentFacts & Servers,
  query: MonitorQuery,
): Promise<MonitorAnswer> {
  const { streams } = context;
  const request = parse(query, context.config.region);
  const stop = new AbortController();
  const feed = new Feed(stop);
  const done = follow(streams, request, (frame) => feed.frame(frame), stop.signal);
  done.then(
    () => feed.end(),
    (error: unknown) => feed.fail(500, error instanceof Error ? error.message : String(error)),
  );
  await feed.settled(FIRST_FRAME_MS);
  return { plain: request.PlainText, body: feed.body };
}

async function follow(
  streams: ApiContext["streams"],
  request: MonitorRequest,
  frame: (frame: StreamFrame) => Promise<void> | undefined,
  stop: AbortSignal,
): Promise<void> {
  const { stream, values } = await streams.open(
    MONITOR,
    encodeValue(monitorRequest, request),
    stop,
  );
  for (;;) {
    const next = await values.next(streamFrame, 0);
    if (next === undefined) return stream.destroy();
    await frame(next);
  }
}

function parse(query: MonitorQuery, region: string): MonitorRequest {
  const level = query.log_level || "INFO";
  if (!LOG_LEVELS.some((one) => one === level.toUpperCase() && one !== "OFF")) {
    throw new ApiError(400, `Unknown log level: ${level}`);
  }
  const flag = (text = "false", what = ""): boolean => {
    const value = parseGoBool(text);
    if (value !== undefined) return value;
    throw new ApiError(400, `Unknown option for ${what}: ${text}`);
  };
  const { node_id: nodeId = "", server_id: serverId = "" } = query;
  if (nodeId !== "" && serverId !== "") {
    throw new ApiError(400, "Cannot target node and server simultaneously");
  }
  return structOf(monitorRequest, {
    LogLevel: level,
    LogJSON: flag(query.log_json, "log json"),
    PlainText: flag(query.plain, "plain"),
    LogIncludeLocation: flag(query.log_include_location, "log include location"),
    NodeID: nodeId,
    ServerID: serverId,
    Region: query.region || region,
  });
}

/** Frames in, bytes out, at the pace of whoever reads. */
export class Feed {
  readonly body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #error: ApiError | undefined;
  #begun = false;
  #over = false;
  #wake: (() => void) | undefined;
  #pulled: (() => void) | undefined;

  constructor(stop: AbortController) {
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pulled?.(),
      cancel: () => {
        this.#over = true;
        this.#pulled?.();
        stop.abort();
      },
    });
  }

  frame({ Error: error, Payload }: StreamFrame): Promise<void> | undefined {
    if (error !== null) {
      this.fail(Number(error.Code ?? 500n), error.Message);
      return undefined;
    }
    this.#begin();
    if (this.#over || Payload === null) return undefined;
    this.#controller?.enqueue(Payload);
    if ((this.#controller?.desiredSize ?? 1) > 0) return undefined;
    return new Promise((resolve) => {
      this.#pulled = resolve;
    });
  }

  fail(status: number, message: string): void {
    if (!this.#begun) this.#error = new ApiError(status, message);
    this.end();
  }

  end(): void {
    this.#begin();
    if (this.#over) return;
    this.#over = true;
    this.#controller?.close();
  }

  /** Waits for the first frame, but not for long. @throws ApiError if it is an error */
  async settled(timeoutMs: number): Promise<void> {
    if (!this.#begun) {
      await new Promise<void>((resolve) => {
        const stopTimer = after(timeoutMs, resolve);
        this.#wake = () => {
          stopTimer();
          resolve();
        };
      });
    }
    this.#begun = true;
    if (this.#error !== undefined) throw this.#error;
  }

  #begin(): void {
    this.#begun = true;
    this.#wake?.();
  }
}
