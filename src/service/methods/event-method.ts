/**
 * Event.Stream: the events of this server, or of one of another region, until either side has
 * enough; a sign of life every ten seconds (wire/rpc-and-raft.md §7.2). A subscriber that falls
 * behind what is kept hears so, and so does one whose token may not see the events any more.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { FAREWELL_MS, finish } from "../../host/finish.ts";
import type { ByteStream, Clock } from "../../host/host.ts";
import type { Address } from "../../protocol/ports.ts";
import type { Need } from "../../state/acl/need.ts";
import { encodeValue } from "../../wire/codec.ts";
import {
  type EventRequest,
  encodeEventError,
  encodeEvents,
  eventRequest,
} from "../../wire/rpc-event.ts";
import { ConnectionLimit } from "../connection-limit.ts";
import { Pace } from "../pace.ts";
import { REQUEST_BYTES_MAX, type ValueStream } from "../rpc/value-stream.ts";
import { CLOSED, type EventBroker, type Subscription, TOO_SLOW } from "./event-broker.ts";
import type { Topics } from "./event-item.ts";
import { HANDSHAKE_MS, passOver, type StreamMethod } from "./stream-methods.ts";

export const EVENTS = "Event.Stream";
/** Of members and encryption; Nomad has none. */
export const AGENT_TOPIC = "Agent";

const HEARTBEAT_MS = 10_000;
/** A subscriber that takes nothing for so long is none. */
const UNREAD_MS = 60_000;
const SUBSCRIBERS_MAX = 1024;
/** Over RPC, of one address: those over HTTP are limited by their connections. */
const OF_ONE_ADDRESS_MAX = 256;
const NO_BROKER = "EventBroker not configured";
const NO_PATH = "No path to region";
/** Of both ends of a stream inside the process. */
const IN_PROCESS_PORT = 0;
const ALIVE = new TextEncoder().encode("{}");

/** What a token needs for a topic; any other one: a management token. */
const NEEDS: ReadonlyMap<string, Need> = new Map<string, Need>([
  ["Node", "node:read"],
  [AGENT_TOPIC, "agent:read"],
]);

/** All that somebody needs who wants these topics. */
export function eventNeeds(topics: Topics): readonly Need[] {
  return [...topics.keys()].map((topic) => NEEDS.get(topic) ?? "management");
}

interface EventMethodInit {
  readonly region: string;
  /** Undefined: the agent has none, or it is switched off. */
  readonly broker: EventBroker | undefined;
  readonly clock: Clock;
  /** A stream to a server of this region that answers instead; undefined: nobody else does. */
  readonly streamTo: ((region: string) => Promise<ByteStream>) | undefined;
  /** The servers of our own region answer, and not we: the agent is a client only. */
  readonly isClient?: boolean;
  /** A subscriber was cut off, since it did not keep up. */
  readonly cutOff?: (remote: Address) => void;
  /** Why this token may not have what it needs all of; undefined: it may. */
  readonly refusal?: (token: string, needs: readonly Need[]) => string | undefined;
}

export class EventMethod implements StreamMethod {
  readonly #init: EventMethodInit;
  /** One change wakes all subscribers, and each has it sent to it. */
  readonly #pace: Pace;
  readonly #feeds = new Set<Feed>();
  readonly #limit = new ConnectionLimit(OF_ONE_ADDRESS_MAX);

  constructor(init: EventMethodInit) {
    this.#init = init;
    this.#pace = new Pace(init.clock);
  }

  /** Tokens, policies or roles have changed: those who may not listen any more are sent away. */
  tokensChanged(): void {
    for (const feed of [...this.#feeds]) feed.check();
  }

  async serve(stream: ByteStream, values: ValueStream): Promise<void> {
    const request = await values.next(eventRequest, HANDSHAKE_MS, REQUEST_BYTES_MAX);
    if (request === undefined) return stream.destroy();
    const { region, isClient = false } = this.#init;
    const fail = (code: number, message: string): void => {
      stream.write(encodeEventError(code, message));
      void finish(stream, FAREWELL_MS);
    };
    const wanted = request.Region || region;
    if (wanted === region && !isClient) return this.#own(stream, request, fail);
    const { streamTo } = this.#init;
    if (request.Forwarded || streamTo === undefined) return fail(500, NO_PATH);
    // A server of our own region may have to send it on.
    const Forwarded = wanted !== region && !isClient;
    const body = encodeValue(eventRequest, { ...request, Region: wanted, Forwarded });
    try {
      await passOver({ stream, values }, await streamTo(wanted), EVENTS, body);
    } catch (error) {
      fail(500, errorText(error));
    }
  }

  async #own(
    stream: ByteStream,
    request: EventRequest,
    fail: (code: number, message: string) => void,
  ): Promise<void> {
    const { broker, clock, refusal, cutOff } = this.#init;
    if (broker === undefined) return fail(500, NO_BROKER);
    if (this.#feeds.size >= SUBSCRIBERS_MAX) {
      return fail(429, `${SUBSCRIBERS_MAX} event streams are open already`);
    }
    const all = [...(request.Topics ?? [])];
    const topics = new Map(all.map(([topic, keys]) => [topic, new Set(keys)]));
    const needs = eventNeeds(topics);
    const mayNot = (): string | undefined => refusal?.(request.AuthToken, needs);
    const why = mayNot();
    if (why !== undefined) return fail(403, why);
    const { ip, port } = stream.remote;
    const isCounted = port !== IN_PROCESS_PORT;
    if (isCounted && !this.#limit.take(ip)) {
      return fail(429, `${OF_ONE_ADDRESS_MAX} event streams of this address are open already`);
    }
    await new Promise<void>((resolve) => {
      const feed = new Feed({
        ...{ stream, clock, pace: this.#pace, mayNot },
        tooSlow: () => cutOff?.(stream.remote),
        subscribe: (wake) =>
          broker.subscribe({
            ...{ topics, namespace: request.Namespace, wake },
            index: Math.max(0, Number(request.Index)),
          }),
        over: () => {
          this.#feeds.delete(feed);
          if (isCounted) this.#limit.release(ip);
          resolve();
        },
      });
      this.#feeds.add(feed);
      feed.start();
    });
  }
}

interface FeedInit {
  readonly stream: ByteStream;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly mayNot: () => string | undefined;
  readonly tooSlow: () => void;
  readonly subscribe: (wake: () => void) => Subscription;
  readonly over: () => void;
}

/** One subscription on its stream. */
class Feed {
  readonly #init: FeedInit;
  readonly #subscription: Subscription;
  #waiting = false;
  /** Since when the stream takes nothing; undefined: it does. */
  #blockedAt: number | undefined;
  #over = false;
  #cancel: (() => void) | undefined;

  constructor(init: FeedInit) {
    this.#init = init;
    this.#subscription = init.subscribe(() => this.#wake());
  }

  start(): void {
    const end = (): void => this.#end();
    this.#init.stream.listen({
      data: () => undefined, // Nomad's callers say nothing more.
      ended: end,
      closed: end,
      drained: () => {
        this.#blockedAt = undefined;
        this.#wake();
      },
    });
    // So that whoever asked knows that it listens.
    this.#write(encodeEvents(ALIVE));
    this.#beat();
    this.#wake();
  }

  check(): void {
    if (!this.#over && this.#init.mayNot() !== undefined) this.#subscription.end(CLOSED);
  }

  #wake(): void {
    if (this.#waiting || this.#over) return;
    this.#waiting = true;
    // Not on the spot: the state machine is at work.
    this.#init.pace.later(() => {
      this.#waiting = false;
      if (!this.#over) this.#init.pace.spend(() => this.#send());
    });
  }

  #send(): void {
    const { pace } = this.#init;
    const { ended } = this.#subscription;
    if (ended === TOO_SLOW) this.#init.tooSlow();
    if (ended !== undefined) return this.#fail(ended);
    const until = this.#init.clock.now() + SLICE_MS;
    while (this.#blockedAt === undefined) {
      const frame = this.#subscription.next();
      if (frame === undefined) return;
      this.#write(frame);
      if (pace.isOver || this.#init.clock.now() >= until) return this.#wake();
    }
  }

  #write(frame: Uint8Array): void {
    if (this.#init.stream.write(frame)) return;
    this.#blockedAt ??= this.#init.clock.now();
  }

  #beat(): void {
    const { clock, stream } = this.#init;
    this.#cancel = clock.schedule(clock.now() + HEARTBEAT_MS, () => {
      this.check();
      const blockedMs = this.#blockedAt === undefined ? 0 : clock.now() - this.#blockedAt;
      if (blockedMs >= UNREAD_MS) {
        this.#init.tooSlow();
        stream.destroy();
      } else if (this.#blockedAt === undefined) this.#write(encodeEvents(ALIVE));
      if (!this.#over) this.#beat();
    });
  }

  #fail(why: string): void {
    this.#init.stream.write(encodeEventError(500, why));
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel?.();
    this.#subscription.end(CLOSED);
    void finish(this.#init.stream, FAREWELL_MS, this.#init.clock);
    this.#init.over();
  }
}

/** So long for one subscriber before the next one has its turn. */
const SLICE_MS = 1;
