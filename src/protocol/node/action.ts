/** What a client node wants done, and what it hears (wire/rpc-and-raft.md §6). */

/** `host:port`, as servers advertise it or as an operator wrote it. */
export type ServerName = string;

/** Nomad's words for where a node stands; "down" is said by one that leaves. */
export type NodeStatus = "initializing" | "ready" | "down";

export type NodeAction =
  /** Node.Register at `server`; answer with `answered` or `failed`. */
  | { readonly kind: "register"; readonly call: number; readonly server: ServerName }
  /** Node.UpdateStatus at `server`. */
  | {
      readonly kind: "heartbeat";
      readonly call: number;
      readonly server: ServerName;
      readonly status: NodeStatus;
    }
  /** What others see of it has changed. */
  | { readonly kind: "state"; readonly state: NodeState }
  /** Nobody needs the answer to this call any more: the server did not answer in time. */
  | { readonly kind: "abandon"; readonly call: number };

/** How it is, for status and logs. */
export type NodeState = "unregistered" | "registered" | "ready" | "lost" | "left";

/** What a server said to a call that it took. */
export interface NodeReply {
  /** 0: it does not say. */
  readonly ttlMs: number;
  /** Where servers are; none: as before. */
  readonly servers: readonly ServerName[];
}

/** Why a call came to nothing. */
export type NodeFailure =
  /** The servers do not know the node: register. */
  | "not-found"
  /** They know it, and do not believe that it is this one. */
  | "denied"
  /** No answer, or none of worth: another server may do better. */
  | "unreachable"
  /** The request itself is wrong: every server will say so. */
  | "refused";
