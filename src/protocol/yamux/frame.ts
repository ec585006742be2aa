/** yamux frames as data (wire/rpc-and-raft.md §2; yamux spec.md). */

export const FrameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const Flag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

/** Go-away codes. */
export const GoAway = { normal: 0, protocolError: 1, internalError: 2 } as const;

export interface FrameHeader {
  readonly type: FrameType;
  readonly flags: number;
  /** 0: the session itself. */
  readonly stream: number;
  /** Payload bytes, window delta, ping id or go-away code. */
  readonly length: number;
}

/** Each stream may have so many bytes under way in each direction, unless more is granted. */
export const WINDOW_BYTES = 256 * 1024;
