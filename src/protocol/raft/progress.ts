/** How far one follower is, as its leader knows it. */
import type { Instant } from "../ports.ts";
import type { RaftServer } from "./message.ts";

export class Progress {
  server: RaftServer;
  /** The next entry to send. */
  next: number;
  /** The last entry that it surely has. */
  match = 0;
  /** When what it answered last was sent: no later than when it heard us. */
  lastContact: Instant;
  /** When its last answer came: later than that, perhaps, if we were held up ourselves. */
  lastHeard: Instant;
  inflight = 0;
  heartbeats = 0;
  failures = 0;
  /** Several calls at once: after the first that went well. */
  pipelining = false;
  /** Counts the fresh starts. */
  epoch = 0;

  constructor(server: RaftServer, next: number, now: Instant) {
    this.server = server;
    this.next = next;
    this.lastContact = now;
    this.lastHeard = now;
  }

  heard(sentAt: Instant, now: Instant): void {
    this.lastContact = Math.max(this.lastContact, sentAt);
    this.lastHeard = now;
  }

  /** Where `next` stood when this was sent. */
  nextOf(sent: { readonly prevIndex: number }): number {
    return sent.prevIndex + 1;
  }

  succeeded(matched: number): void {
    this.match = Math.max(this.match, matched);
    this.next = Math.max(this.next, this.match + 1);
    this.failures = 0;
    this.pipelining = true;
  }

  /** From this entry on, one call at a time; what is under way does not count any more. */
  restart(next: number): void {
    this.next = next;
    this.inflight = 0;
    this.pipelining = false;
    this.epoch += 1;
  }
}
