/**
 * A client node that lives: the machine's calls go to servers, its questions are answered, and one
 * long poll keeps the way open on which servers ask back (wire/rpc-and-raft.md §6).
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import type {
  NodeAction,
  NodeFailure,
  NodeReply,
  NodeState,
  ServerName,
} from "../../protocol/node/action.ts";
import { ClientNode } from "../../protocol/node/client-node.ts";
import { NODE, type NodeConfig } from "../../protocol/node/config.ts";
import type { Prng } from "../../protocol/ports.ts";
import { nodeRegisterRequest, nodeStatusRequest } from "../../state/command.ts";
import type { Node } from "../../state/node.ts";
import { type Codec, decodeValue, encodeValue, structOf } from "../../wire/codec.ts";
import { clientAllocsReply, nodeRequest, nodeUpdateReply } from "../../wire/rpc-node.ts";
import { Driver } from "../drive.ts";
import { RpcRemoteError } from "../rpc/call.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import type { HeldIdentity } from "./held-identity.ts";

/** A server holds a poll for up to five minutes and a sixteenth. */
const POLL_MS = 330_000;
/** Between two polls, also where a server answers at once; and up to so much after a failure. */
const POLL_PAUSE_MS = 1000;
const POLL_RETRY_MS = 15_000;
/** No server means to hear a node less often than this. */
const TTL_MAX_MS = 3_600_000;

/** One call at one server. @throws Error */
export type NodeCall = (
  server: ServerName,
  method: string,
  body: Uint8Array,
  how: { readonly timeoutMs: number; readonly repeat: boolean; readonly signal: AbortSignal },
) => Promise<Uint8Array>;

interface NodeClientInit {
  readonly region: string;
  readonly servers: readonly ServerName[];
  /** The server is in this very process: there is no other one, and no way to keep open. */
  readonly inProcess: boolean;
  readonly id: string;
  /** Proves that it is this node. */
  readonly secret: string;
  readonly identity: HeldIdentity;
  /** What it tells of itself, as it is now. */
  readonly record: () => Node;
  readonly call: NodeCall;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  readonly config?: NodeConfig;
}

/** What others may know of it. */
export interface NodeReport {
  readonly state: NodeState;
  /** The one that is asked; "" while none is known. */
  readonly server: ServerName;
  readonly servers: readonly ServerName[];
  /** Unix time; undefined: never. */
  readonly registeredAtMs: number | undefined;
  readonly heartbeatAtMs: number | undefined;
  /** What the servers gave it for the next heartbeat. */
  readonly ttlMs: number;
  /** Until when the identity that servers have signed for it holds; undefined: it has none. */
  readonly identityUntilMs: number | undefined;
  /** Why there is no answer; "" if there is. */
  readonly problem: string;
}

export class NodeClient {
  readonly #init: NodeClientInit;
  readonly #node: ClientNode;
  readonly #driver: Driver<NodeAction>;
  /** Calls that are under way. */
  readonly #calls = new Map<number, AbortController>();
  #poll: { readonly server: ServerName; readonly stop: AbortController } | undefined;
  #registeredAtMs: number | undefined;
  #heartbeatAtMs: number | undefined;
  #ttlMs = 0;
  #problem = "";
  readonly #left = Promise.withResolvers<void>();

  constructor(init: NodeClientInit) {
    this.#init = init;
    const { config = NODE, prng, servers } = init;
    this.#node = new ClientNode({ config, prng, servers });
    this.#driver = new Driver(this.#node, init.clock, (action) => this.#perform(action));
  }

  start(): void {
    this.#driver.tell((now) => this.#node.start(now));
  }

  /** Its record is another one. */
  changed(): void {
    this.#driver.tell((now) => this.#node.changed(now));
  }

  /** An operator's servers instead of the configured ones. */
  configure(servers: readonly ServerName[]): void {
    this.#driver.tell((now) => this.#node.configure(servers, now));
  }

  /** The next poll goes over a new connection. */
  reconnect(): void {
    this.#stopPoll();
    this.#follow();
  }

  /** Says that it is down, and waits until a server has heard it, or does not answer in time. */
  leave(): Promise<void> {
    this.#stopPoll();
    this.#driver.tell((now) => this.#node.leave(now));
    return this.#left.promise;
  }

  stop(): void {
    this.#driver.stop();
    this.#stopPoll();
    for (const call of this.#calls.values()) call.abort();
    this.#left.resolve();
  }

  get servers(): readonly ServerName[] {
    return this.#node.servers;
  }

  report(): NodeReport {
    const { state, server = "", servers } = this.#node;
    const none = servers.length === 0 ? "no known servers" : "";
    return {
      ...{ state, server, servers, ttlMs: this.#ttlMs, problem: this.#problem || none },
      registeredAtMs: this.#registeredAtMs,
      heartbeatAtMs: this.#heartbeatAtMs,
      identityUntilMs: this.#init.identity.expiresAtMs,
    };
  }

  #perform(action: NodeAction): void {
    switch (action.kind) {
      case "register":
        return this.#say(action.call, action.server, "Node.Register", this.#registration());
      case "heartbeat":
        return this.#say(
          action.call,
          action.server,
          "Node.UpdateStatus",
          this.#heartbeat(action.status),
        );
      case "abandon":
        this.#failing("", "no answer in time");
        this.#calls.get(action.call)?.abort();
        this.#calls.delete(action.call);
        return;
      case "state":
        return this.#became(action.state);
    }
  }

  #became(state: NodeState): void {
    const { log, clock } = this.#init;
    const server = this.#node.server ?? "";
    if (state === "registered") {
      this.#registeredAtMs = clock.wallMs();
      log.info("node registration complete", { server });
    } else if (state === "ready") log.info("node is ready", { server });
    else if (state === "left") this.#left.resolve();
    else log.warn("no server answers this node", { state, why: this.#problem });
    if (state === "unregistered" || state === "left") this.#stopPoll();
  }

  #registration(): Uint8Array {
    const { record, region, identity } = this.#init;
    const request = structOf(nodeRegisterRequest, {
      ...{ AuthToken: identity.forRegistration, Node: record(), Region: region },
    });
    return encodeValue(nodeRegisterRequest, request);
  }

  #heartbeat(Status: string): Uint8Array {
    const { region, id, identity, clock } = this.#init;
    const request = structOf(nodeStatusRequest, {
      AuthToken: identity.token,
      ForceIdentityRenewal: identity.wantsAnother,
      NodeID: id,
      Region: region,
      Status,
      UpdatedAt: BigInt(Math.floor(clock.wallMs() / 1000)),
    });
    return encodeValue(nodeStatusRequest, request);
  }

  #say(call: number, server: ServerName, method: string, body: Uint8Array): void {
    const { config = NODE } = this.#init;
    const stop = new AbortController();
    this.#calls.set(call, stop);
    // Saying it twice does no harm: what counts is the last.
    const how = { timeoutMs: config.callTimeoutMs, repeat: true, signal: stop.signal };
    const answer = this.#init.call(server, method, body, how);
    answer.then(
      (bytes) => this.#answered(call, server, method, bytes),
      (error: unknown) => this.#failed(call, server, method, error),
    );
  }

  #answered(call: number, server: ServerName, method: string, bytes: Uint8Array): void {
    if (!this.#calls.delete(call)) return;
    const reply = decodeValue(nodeUpdateReply, bytes);
    if (reply === undefined) {
      return this.#failed(call, server, method, new Error("its answer cannot be decoded"), true);
    }
    this.#problem = "";
    this.#keep(() => this.#init.identity.told(reply.SignedIdentity));
    if (method === "Node.Register") this.#init.identity.registered();
    const ttlMs = Math.min(Math.max(0, Number(reply.HeartbeatTTL) / 1e6), TTL_MAX_MS);
    if (method === "Node.UpdateStatus") this.#heartbeatAtMs = this.#init.clock.wallMs();
    if (ttlMs > 0) this.#ttlMs = ttlMs;
    const told = (reply.Servers ?? []).map((one) => one.RPCAdvertiseAddr);
    const servers = this.#init.inProcess ? [] : told.filter((one) => one !== "");
    const answer: NodeReply = { ttlMs, servers };
    this.#driver.tell((now) => this.#node.answered(call, answer, now));
    this.#follow();
  }

  /** An identity is good until the process ends, also where it cannot be kept. */
  #keep(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#init.log.warn("cannot keep the node's identity", { error: errorText(error) });
    }
  }

  #failed(call: number, server: ServerName, method: string, error: unknown, known = false): void {
    if (!this.#calls.delete(call) && !known) return;
    const why = failureOf(error);
    // Without it the secret counts, or what introduces the node.
    const isRefused = method === "Node.Register" && why === "denied";
    if (isRefused) this.#keep(() => this.#init.identity.refused());
    this.#failing(server, errorText(error));
    this.#init.log.warn("a server does not take this node", {
      ...{ server, error: errorText(error), failure: why },
    });
    this.#driver.tell((now) => this.#node.failed(call, why, now));
    this.#follow();
  }

  #failing(server: ServerName, why: string): void {
    const where = server === "" ? (this.#node.server ?? "") : server;
    this.#problem = where === "" ? why : `${where}: ${why}`;
  }

  /** The poll is where the heartbeats are. */
  #follow(): void {
    const { state, server } = this.#node;
    if (this.#init.inProcess || state !== "ready" || server === undefined) return;
    if (this.#poll?.server === server) return;
    this.#stopPoll();
    const stop = new AbortController();
    this.#poll = { server, stop };
    void this.#pollAt(server, stop.signal);
  }

  #stopPoll(): void {
    this.#poll?.stop.abort();
    this.#poll = undefined;
  }

  /** There are no jobs, so nothing ever comes of it but the way that it keeps open. */
  async #pollAt(server: ServerName, signal: AbortSignal): Promise<void> {
    const { id, secret, identity, region, call, prng, log } = this.#init;
    for (let seen = 0n; !signal.aborted; ) {
      const body = bodyOf(nodeRequest, {
        ...{ NodeID: id, SecretID: secret, AuthToken: identity.token, Region: region },
        ...{ AllowStale: seen > 0n, MinQueryIndex: seen },
      });
      try {
        const how = { timeoutMs: POLL_MS, repeat: true, signal };
        const answer = await call(server, "Node.GetClientAllocs", body, how);
        seen = decodeValue(clientAllocsReply, answer)?.Index ?? 0n;
        await this.#pause(POLL_PAUSE_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.debug("a poll has failed", { server, error: errorText(error) });
        seen = 0n;
        await this.#pause(POLL_PAUSE_MS + prng.next() * POLL_RETRY_MS, signal);
      }
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#init;
    return new Promise((resolve) => {
      const over = (): void => {
        cancel();
        signal.removeEventListener("abort", over);
        resolve();
      };
      const cancel = clock.schedule(clock.now() + ms, over);
      signal.addEventListener("abort", over);
    });
  }
}

function bodyOf<T extends object>(codec: Codec<T>, fields: Partial<T>): Uint8Array {
  return encodeValue(codec, structOf(codec, fields));
}

const WRONG = /^(?:RPC Error:: \d+,)?(?:missing |invalid |node is not allowed|node secret ID)/;

/** What a server's text means for whoever may be asked next. */
function failureOf(error: unknown): NodeFailure {
  const isAnswer = error instanceof RpcRemoteError || error instanceof RpcMethodError;
  if (!isAnswer) return "unreachable";
  const text = errorText(error).replace(/^(?:rpc error: )+/, "");
  if (text.includes("node not found")) return "not-found";
  if (text.includes("Permission denied")) return "denied";
  return WRONG.test(text) ? "refused" : "unreachable";
}
