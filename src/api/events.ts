/** GET /v1/event/stream: what happens on a server, as lines of JSON, until somebody has enough. */
import { errorText } from "../host/error-text.ts";
import { EVENTS } from "../service/methods/event-method.ts";
import { encodeValue, structOf } from "../wire/codec.ts";
import { type EventRequest, eventFrame, eventRequest } from "../wire/rpc-event.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { Feed } from "./monitor.ts";

/** A sign of life comes at once, or an error does. */
const FIRST_FRAME_MS = 1000;
/** There is a sign of life each ten seconds, from whichever server: else it is gone. */
const SILENT_MS = 60_000;
/** Of the events of one index: a node may be large, and its JSON larger. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const NEWLINE = new TextEncoder().encode("\n");

interface EventQuery {
  readonly region?: string;
  readonly namespace?: string;
  readonly index?: string;
  /** `Node:*`, any number of them. */
  readonly topic?: readonly string[];
}

/** @throws ApiError with Nomad's texts */
export async function eventStream(
  context: AgentFacts & Servers,
  query: EventQuery,
): Promise<ReadableStream<Uint8Array>> {
  const request = parse(query, context.config.region);
  const stop = new AbortController();
  const feed = new Feed(stop);
  const done = follow(context.streams, request, feed, stop.signal);
  done.then(
    () => feed.end(),
    (error: unknown) => feed.fail(500, errorText(error)),
  );
  await feed.settled(FIRST_FRAME_MS);
  return feed.body;
}

async function follow(
  streams: Servers["streams"],
  request: EventRequest,
  feed: Feed,
  stop: AbortSignal,
): Promise<void> {
  const body = encodeValue(eventRequest, request);
  const { stream, values } = await streams.open(EVENTS, body, stop);
  let begun = false;
  for (;;) {
    const next = await values.next(eventFrame, SILENT_MS, FRAME_BYTES_MAX);
    if (next === undefined) return stream.destroy();
    const { Error: error, Event } = next;
    if (error !== null) {
      // Behind lines of JSON it is a line, too, as Nomad's.
      const text = new TextEncoder().encode(`${error.Message}\n`);
      if (begun) await feed.frame({ Error: null, Payload: text });
      feed.fail(Number(error.Code ?? 500n), error.Message);
      return stream.destroy();
    }
    begun = true;
    const line = Buffer.concat([Event?.Data ?? new Uint8Array(0), NEWLINE]);
    await feed.frame({ Error: null, Payload: line });
  }
}

function parse(query: EventQuery, region: string): EventRequest {
  const index = query.index || "0";
  if (!/^[+-]?\d{1,18}$/.test(index)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(index)}: invalid syntax`;
    throw new ApiError(400, `Unable to parse index: ${why}`);
  }
  return structOf(eventRequest, {
    Index: BigInt(index.replace(/^\+/, "")),
    Topics: topicsOf(query.topic),
    Namespace: query.namespace ?? "",
    Region: query.region || region,
  });
}

/** `topic=Node:*`, any number of times; none is all. */
function topicsOf(wanted: readonly string[] = ["*"]): EventRequest["Topics"] {
  const topics = new Map<string, string[]>();
  for (const text of wanted) {
    const [topic = "", key = "*", ...more] = text.split(":");
    if (more.length > 0) {
      const why = `Invalid key value pair for topic, topic: ${text}`;
      throw new ApiError(400, `Invalid topic query: error parsing topics: ${why}`);
    }
    topics.set(topic, [...(topics.get(topic) ?? []), key]);
  }
  return topics;
}
