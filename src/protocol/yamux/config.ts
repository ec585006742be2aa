/** Times and limits of a yamux session. The first group is yamux's own (v0.1.2, DefaultConfig). */
export interface YamuxConfig {
  /** A ping so often. */
  readonly keepAliveMs: number;
  /** For its answer, and for a connection that takes no bytes. */
  readonly writeTimeoutMs: number;
  /** For the acknowledgement of a stream that we opened. */
  readonly openTimeoutMs: number;
  /** From our end of a stream to the peer's. */
  readonly closeTimeoutMs: number;

  /** For the rest of a frame header whose first byte has come. */
  readonly headerTimeoutMs: number;
  /** Streams that the peer may have open. */
  readonly streamsMax: number;
  /** Bytes that nobody has consumed yet, in all streams together. */
  readonly unreadBytesMax: number;
  /** Bytes that the peer has not let us send yet, in all streams together. */
  readonly unsentBytesMax: number;
  /** Payload of one frame of ours: other streams get their turn in between. */
  readonly frameBytesMax: number;
}

export const YAMUX: YamuxConfig = {
  keepAliveMs: 30_000,
  writeTimeoutMs: 10_000,
  openTimeoutMs: 75_000,
  closeTimeoutMs: 5 * 60_000,
  headerTimeoutMs: 10_000,
  // A server's one session to the leader carries a blocking query for each of its clients.
  streamsMax: 16_384,
  unreadBytesMax: 16 * 1024 * 1024,
  // A few of the largest answers there are.
  unsentBytesMax: 64 * 1024 * 1024,
  frameBytesMax: 64 * 1024,
};
