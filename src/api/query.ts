/** What callers may say behind the question mark of any request that reads, as it came. */
export interface ReadQuery {
  readonly region?: string;
  readonly namespace?: string;
  /** Whoever is asked may answer; given without a value it is meant. */
  readonly stale?: string;
  readonly index?: string;
  readonly wait?: string;
  readonly prefix?: string;
  readonly filter?: string;
  readonly next_token?: string;
  readonly per_page?: string;
  readonly reverse?: string;
}

/** What of the nodes in a list is asked for beside the usual. */
export interface NodeListQuery extends ReadQuery {
  readonly os?: string;
  readonly resources?: string;
}

/** Which client node is meant; none: this agent's own. */
export interface ClientQuery {
  readonly region?: string;
  readonly node_id?: string;
}
