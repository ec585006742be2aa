/**
 * A client node towards its servers, as one pure state machine: it registers, says in time that it
 * lives, goes from server to server until one answers, and comes back after any partition
 * (wire/rpc-and-raft.md §6).
 *
 *   commands  start, changed, configure, leave
 *   events    answered, failed, expire
 *   outputs   deadline, drain
 *   queries   state, server, servers
 *
 * One call at a time: what it has to say next follows from the answer to the last.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Instant, Prng } from "../ports.ts";
import type {
  NodeAction,
  NodeFailure,
  NodeReply,
  NodeState,
  NodeStatus,
  ServerName,
} from "./action.ts";
import type { NodeConfig } from "./config.ts";
import { KnownServers } from "./servers.ts";

interface ClientNodeInit {
  readonly config: NodeConfig;
  readonly prng: Prng;
  /** Of the configuration; more come with every answer. */
  readonly servers: readonly ServerName[];
}

/** When a call is due, and when the one under way has taken too long. */
const NEXT = "next";
const ANSWER = "answer";

export class ClientNode {
  readonly #config: NodeConfig;
  readonly #prng: Prng;
  readonly #servers: KnownServers;
  readonly #deadlines = new Deadlines();
  #actions: NodeAction[] = [];
  #state: NodeState = "unregistered";
  /** The servers have it in their table, as far as it knows. */
  #registered = false;
  /** What is registered is out of date. */
  #stale = false;
  #leaving = false;
  #calls = 0;
  #underWay: { readonly call: number; readonly kind: "register" | "heartbeat" } | undefined;
  /** Servers in a row that did not answer, since one did. */
  #failures = 0;
  #retryMs: number;
  /** What the last answer gave it. */
  #ttlMs: number;

  constructor({ config, prng, servers }: ClientNodeInit) {
    this.#config = config;
    this.#prng = prng;
    this.#servers = new KnownServers(servers, prng, config.serversMax);
    this.#retryMs = config.retryMinMs;
    this.#ttlMs = config.ttlDefaultMs;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** The one that is asked now; undefined: none is known. */
  get server(): ServerName | undefined {
    return this.#servers.first;
  }

  get servers(): readonly ServerName[] {
    return this.#servers.all;
  }

  start(now: Instant): void {
    this.#deadlines.set(NEXT, now);
    this.expire(now);
  }

  /** What it tells of itself is another: it registers again. */
  changed(now: Instant): void {
    this.#stale = true;
    if (!this.#registered || this.#underWay !== undefined) return;
    this.#deadlines.set(NEXT, now);
    this.expire(now);
  }

  /** An operator's list of servers, instead of the configured one. */
  configure(servers: readonly ServerName[], now: Instant): void {
    this.#servers.configure(servers);
    if (this.#failures === 0 || this.#underWay !== undefined) return;
    this.#deadlines.set(NEXT, now);
    this.expire(now);
  }

  /** Says "down", once, to one server: whoever has no time left is found out by its silence. */
  leave(now: Instant): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#abandon();
    this.#deadlines.clear(NEXT);
    if (this.#registered && this.server !== undefined) this.#call("heartbeat", now);
    else this.#become("left");
  }

  answered(call: number, reply: NodeReply, now: Instant): void {
    const kind = this.#ended(call);
    if (kind === undefined) return;
    this.#failures = 0;
    this.#servers.tell(reply.servers);
    if (this.#leaving) return this.#become("left");
    if (kind === "register") {
      this.#registered = true;
      if (this.#state !== "ready") this.#become("registered");
      // Registered nodes are `initializing` until they say that they are ready.
      return this.#next(now, 0);
    }
    this.#become("ready");
    this.#retryMs = this.#config.retryMinMs;
    this.#next(now, this.#stale ? 0 : this.#untilNextMs(reply.ttlMs));
  }

  failed(call: number, why: NodeFailure, now: Instant): void {
    const kind = this.#ended(call);
    if (kind === undefined) return;
    if (this.#leaving) return this.#become("left");
    if (why === "not-found" || why === "denied") {
      // Registering proves who it is, by the secret: at once if it was known, else with patience.
      const again = this.#state === "ready" || this.#state === "lost";
      this.#registered = false;
      this.#become("unregistered");
      return this.#next(now, again ? 0 : this.#backOffMs());
    }
    if (why === "refused") return this.#next(now, this.#backOffMs());
    this.#failures += 1;
    this.#servers.demote();
    const tried = this.#failures % Math.max(1, this.#servers.all.length) === 0;
    if (tried) this.#become(this.#registered ? "lost" : "unregistered");
    this.#next(now, tried ? this.#backOffMs() : 0);
  }

  expire(now: Instant): void {
    for (;;) {
      const key = this.#deadlines.due(now);
      if (key === undefined) return;
      const { call } = this.#underWay ?? {};
      if (key === NEXT) this.#speak(now);
      else if (call !== undefined) {
        this.#actions.push({ kind: "abandon", call });
        this.failed(call, "unreachable", now);
      }
    }
  }

  deadline(): Instant | undefined {
    return this.#deadlines.next();
  }

  drain(): readonly NodeAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #speak(now: Instant): void {
    if (this.#leaving || this.#underWay !== undefined) return;
    // Names of servers may yet come: by configuration, or when they resolve.
    if (this.server === undefined) return this.#next(now, this.#backOffMs());
    const mustRegister = !this.#registered || this.#stale;
    if (mustRegister) this.#stale = false;
    this.#call(mustRegister ? "register" : "heartbeat", now);
  }

  #call(kind: "register" | "heartbeat", now: Instant): void {
    const { server } = this;
    if (server === undefined) return;
    this.#calls += 1;
    const call = this.#calls;
    this.#underWay = { call, kind };
    this.#deadlines.set(ANSWER, now + this.#answerMs());
    if (kind === "register") this.#actions.push({ kind, call, server });
    else this.#actions.push({ kind, call, server, status: this.#status() });
  }

  #status(): NodeStatus {
    return this.#leaving ? "down" : "ready";
  }

  /** @returns what the call was; undefined: nobody waits for it */
  #ended(call: number): "register" | "heartbeat" | undefined {
    if (this.#underWay?.call !== call) return undefined;
    const { kind } = this.#underWay;
    this.#underWay = undefined;
    this.#deadlines.clear(ANSWER);
    return kind;
  }

  #abandon(): void {
    if (this.#underWay === undefined) return;
    this.#actions.push({ kind: "abandon", call: this.#underWay.call });
    this.#ended(this.#underWay.call);
  }

  #next(now: Instant, waitMs: number): void {
    this.#deadlines.set(NEXT, now + waitMs);
  }

  /** Well before its time is over, and not together with those who began with it. */
  #untilNextMs(ttlMs: number): number {
    const { ttlDefaultMs, heartbeatPartMin: least, heartbeatPartMax: most } = this.#config;
    const part = least + this.#prng.next() * (most - least);
    this.#ttlMs = ttlMs > 0 ? ttlMs : ttlDefaultMs;
    return this.#ttlMs * part;
  }

  /** Little enough of its time that, after a server that stands still, another one can be asked. */
  #answerMs(): number {
    const { callTimeoutMs, callTimeoutMinMs, callTimeoutPart } = this.#config;
    return Math.min(callTimeoutMs, Math.max(callTimeoutMinMs, this.#ttlMs * callTimeoutPart));
  }

  /** Longer each time, and different for everybody: thousands come back to the same servers. */
  #backOffMs(): number {
    const waitMs = this.#retryMs * (1 + this.#prng.next());
    this.#retryMs = Math.min(this.#retryMs * 2, this.#config.retryMaxMs);
    return waitMs;
  }

  #become(state: NodeState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#actions.push({ kind: "state", state });
  }
}
