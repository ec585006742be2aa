/**
 * What has happened lately on this server, for whoever subscribes: changes of the replicated state
 * with their index, and what only this server knows, with the index that was the last one then.
 *
 * The newest events are kept for those who come back and go on where they were; beyond them only
 * what a living subscriber has not read yet, up to a limit that is for all of them together. Who is
 * further behind is cut off. No clock, no stream: a subscriber is told to look, and asks.
 *
 * @module
 */
import type { Change, ChangeListener } from "../../state/change.ts";
import { EventItem, type Topics } from "./event-item.ts";

/** Nomad's text, after which a client subscribes again. */
export const CLOSED = "subscription closed by server, client should resubscribe";
export const TOO_SLOW = "event dropped from buffer";

/** Events of one entry that stay together: a thousand nodes at once are several frames. */
const ITEM_EVENTS_MAX = 16;
const ITEM_BYTES_MAX = 256 * 1024;
/** Of the newest events, which wait for nobody in particular. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
/** Of all that waits, and so for how slow a subscriber may be. */
const WAITING_EVENTS_MAX = 16_384;
const WAITING_BYTES_MAX = 32 * 1024 * 1024;

interface EventBrokerInit {
  /** How many of the newest events are kept. */
  readonly eventsMax: number;
  /** Of the last entry that was applied. */
  readonly index: () => number;
}

interface Asking {
  readonly topics: Topics;
  /** 0: all that is kept; or from the first event on that has at least this index. */
  readonly index: number;
  readonly namespace: string;
  /** There is something to read, or it is over. */
  readonly wake: () => void;
}

export class EventBroker implements ChangeListener {
  readonly #init: EventBrokerInit;
  #items: EventItem[] = [];
  /** Items that were there before the first of `#items`. */
  #dropped = 0;
  #events = 0;
  #bytes = 0;
  readonly #subscriptions = new Set<Subscription>();

  constructor(init: EventBrokerInit) {
    this.#init = init;
  }

  get subscribers(): number {
    return this.#subscriptions.size;
  }

  /** Events and bytes that are kept just now. */
  get held(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes };
  }

  applied(index: number, changes: readonly Change[]): void {
    for (const some of inItems(changes, Math.max(1, this.#init.eventsMax))) {
      const item = new EventItem(index, some);
      this.#items.push(item);
      this.#events += item.count;
      this.#bytes += item.bytes;
      for (const one of [...this.#subscriptions]) one.offered(item, this.#end);
    }
    this.#trim();
  }

  /** Something that only this server knows. */
  note(change: Change): void {
    this.applied(Math.max(1, this.#init.index(), this.#items.at(-1)?.index ?? 0), [change]);
  }

  /** What was told of the state before holds no more: whoever listens begins anew. */
  replaced(): void {
    this.#forget(this.#items.length);
    this.close();
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const one of [...this.#subscriptions]) one.end(CLOSED);
  }

  subscribe(asking: Asking): Subscription {
    const { index } = asking;
    const found = index === 0 ? 0 : this.#items.findIndex((one) => one.index >= index);
    const at = found < 0 ? this.#end : this.#dropped + found;
    const over = (one: Subscription): void => {
      this.#subscriptions.delete(one);
      this.#trim();
    };
    const read = (place: number): EventItem | undefined => this.#items[place - this.#dropped];
    const grown = (bytes: number): void => {
      this.#bytes += bytes;
    };
    const idle = (): void => this.#trim();
    const subscription = new Subscription(asking, at, { over, read, grown, idle });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Where the next item will be. */
  get #end(): number {
    return this.#dropped + this.#items.length;
  }

  #trim(): void {
    const { eventsMax } = this.#init;
    if (this.#events <= eventsMax && this.#bytes <= KEPT_BYTES_MAX) return;
    let slowest = this.#end;
    for (const { at } of this.#subscriptions) slowest = Math.min(slowest, at);
    let [events, bytes, gone] = [this.#events, this.#bytes, 0];
    for (const item of this.#items) {
      const isWaitedFor = this.#dropped + gone >= slowest;
      const [countMax, bytesMax] = isWaitedFor
        ? [Math.max(eventsMax, WAITING_EVENTS_MAX), WAITING_BYTES_MAX]
        : [eventsMax, KEPT_BYTES_MAX];
      if (events <= countMax && bytes <= bytesMax) break;
      events -= item.count;
      bytes -= item.bytes;
      gone += 1;
    }
    if (gone === 0) return;
    this.#forget(gone);
    const late = [...this.#subscriptions].filter(({ at }) => at < this.#dropped);
    for (const one of late) one.end(TOO_SLOW);
  }

  #forget(count: number): void {
    const gone = this.#items.splice(0, count);
    this.#dropped += gone.length;
    for (const item of gone) {
      this.#events -= item.count;
      this.#bytes -= item.bytes;
    }
  }
}

interface Source {
  readonly read: (place: number) => EventItem | undefined;
  /** An item has become JSON, and takes so much more. */
  readonly grown: (bytes: number) => void;
  /** All is read that there is. */
  readonly idle: () => void;
  readonly over: (subscription: Subscription) => void;
}

/** One reader, and how far it is. */
export class Subscription {
  readonly #asking: Asking;
  readonly #source: Source;
  #at: number;
  #ended: string | undefined;

  constructor(asking: Asking, at: number, source: Source) {
    this.#asking = asking;
    this.#at = at;
    this.#source = source;
  }

  /** The place of what it reads next. */
  get at(): number {
    return this.#at;
  }

  /** Why nothing more comes; undefined: more may come. */
  get ended(): string | undefined {
    return this.#ended;
  }

  get topics(): Topics {
    return this.#asking.topics;
  }

  /** The next frame for it (wire/rpc-event.ts); undefined: not yet, or never again. */
  next(): Uint8Array | undefined {
    const { topics, namespace } = this.#asking;
    while (this.#ended === undefined) {
      const item = this.#source.read(this.#at);
      if (item === undefined) {
        this.#source.idle();
        return undefined;
      }
      this.#at += 1;
      const before = item.bytes;
      const frame = item.frame(topics, namespace);
      this.#source.grown(item.bytes - before);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  /** There is a new item behind all others. @param end the place behind it */
  offered(item: EventItem, end: number): void {
    const { topics, namespace, wake } = this.#asking;
    // What it does not want is not kept for it.
    if (item.isWanted(topics, namespace)) wake();
    else if (this.#at === end - 1) this.#at = end;
  }

  end(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.#source.over(this);
    this.#asking.wake();
  }
}

function* inItems(changes: readonly Change[], countMax: number): Generator<readonly Change[]> {
  let some: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const isFull = some.length >= Math.min(countMax, ITEM_EVENTS_MAX);
    if (some.length > 0 && (isFull || bytes + change.bytes > ITEM_BYTES_MAX)) {
      yield some;
      [some, bytes] = [[], 0];
    }
    some.push(change);
    bytes += change.bytes;
  }
  if (some.length > 0) yield some;
}
