/** First bytes of a connection or a stream (wire/rpc-and-raft.md §1). */
export const RpcMode = {
  nomad: 0x01,
  raft: 0x02,
  multiplex: 0x03,
  tls: 0x04,
  streaming: 0x05,
  multiplexV2: 0x06,
} as const;
export type RpcMode = (typeof RpcMode)[keyof typeof RpcMode];

export const MODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RpcMode).map(([name, byte]) => [byte, name]),
);
