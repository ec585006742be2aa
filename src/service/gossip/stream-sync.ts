/**
 * memberlist's TCP exchanges: push/pull and the fallback ping, as dialler and as acceptor
 * (wire/gossip.md §7). One connection each, one request, at most one answer.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { FAREWELL_MS, finish } from "../../host/finish.ts";
import type { ByteStream, Clock, Network } from "../../host/host.ts";
import type { Address } from "../../protocol/ports.ts";
import {
  encodeStream,
  type StreamMessage,
  StreamParser,
  type StreamRefusal,
} from "../../wire/gossip-stream.ts";
import { addLabel } from "../../wire/label.ts";
import { ConnectionLimit } from "../connection-limit.ts";
import { countRefusal } from "../refusals.ts";
import { countAccepted, countSent, type TrafficCounters } from "./counters.ts";
import type { Sealer } from "./sealer.ts";
import { Turn } from "./turn.ts";
import { UnprovenBytes } from "./unproven-bytes.ts";

/** Exchanges served at once, as the real library; beyond it connections are closed. */
const ACCEPTED_MAX = 127;
/** ... and of one address, so that one stranger cannot take them all. */
const ACCEPTED_PER_ADDRESS_MAX = 32;

interface StreamSyncInit {
  readonly clock: Clock;
  readonly network: Network;
  readonly sealer: Sealer;
  readonly label: Uint8Array;
  readonly counters: TrafficCounters;
  readonly timeoutMs: number;
  /** Answers a request, or undefined: close without a word. `after` runs once it is written. */
  readonly serve: (
    request: StreamMessage,
    from: Address,
  ) => { readonly answer?: StreamMessage; readonly after?: () => void } | undefined;
  readonly refused: (reason: StreamRefusal, from: Address) => void;
  /** Is there a member at that address? */
  readonly isMember: (ip: Uint8Array) => boolean;
}

/** What the exchange ended with: an answer, or why there is none. */
export type ExchangeResult =
  | { readonly kind: "answer"; readonly message: StreamMessage }
  | { readonly kind: "refused"; readonly reason: StreamRefusal }
  | { readonly kind: "failed"; readonly reason: string };

/** What the dialler is told when its first message cannot be read; the library's own words. */
const ERROR_TEXTS: Partial<Record<StreamRefusal, string>> = {
  plaintext: "encryption is configured but remote state is not encrypted",
  "unexpected-encryption": "remote state is encrypted and encryption is not configured",
  "no-key-opens": "no installed keys could decrypt the message",
  compression: "failed to decompress the message",
};

export type PushPull = Extract<StreamMessage, { kind: "pushPull" }>;
/** A push/pull that tells nothing, and only asks. */
export const LOOK: PushPull = {
  kind: "pushPull",
  join: false,
  states: [],
  userState: new Uint8Array(0),
};

export class StreamSync {
  readonly #init: StreamSyncInit;
  #accepted = 0;
  readonly #unproven = new UnprovenBytes();
  readonly #turn: Turn;
  readonly #perAddress = new ConnectionLimit(ACCEPTED_PER_ADDRESS_MAX);

  constructor(init: StreamSyncInit) {
    this.#init = init;
    this.#turn = new Turn(init.clock);
  }

  /** Dials, asks, and waits for the answer; never rejects. */
  async exchange(to: Address, request: StreamMessage, timeoutMs: number): Promise<ExchangeResult> {
    let stream: ByteStream;
    try {
      stream = await this.#init.network.dial(to, timeoutMs);
    } catch (error) {
      return { kind: "failed", reason: errorText(error) };
    }
    this.#send(stream, request, true);
    const result = await this.#read(stream, timeoutMs, false);
    stream.destroy();
    return result;
  }

  /** Serves one connection. */
  async accept(stream: ByteStream): Promise<void> {
    const { ip } = stream.remote;
    if (this.#accepted >= ACCEPTED_MAX || !this.#perAddress.take(ip)) {
      countRefusal(this.#init.counters.refused, "too-many-connections");
      stream.destroy();
      return;
    }
    this.#accepted += 1;
    try {
      const result = await this.#read(stream, this.#init.timeoutMs, true);
      await finish(stream, this.#reply(stream, result), this.#init.clock);
    } finally {
      this.#accepted -= 1;
      this.#perAddress.release(ip);
    }
  }

  /** @returns how long the answer may take to be read, milliseconds */
  #reply(stream: ByteStream, result: ExchangeResult): number {
    const { counters, serve, refused, timeoutMs } = this.#init;
    if (result.kind === "failed") {
      stream.destroy();
      return 0;
    }
    if (result.kind === "refused") {
      countRefusal(counters.refused, result.reason);
      refused(result.reason, stream.remote);
      const error = ERROR_TEXTS[result.reason];
      if (error !== undefined) this.#send(stream, { kind: "err", error }, false);
      return FAREWELL_MS;
    }
    const served = serve(result.message, stream.remote);
    if (served?.answer !== undefined) this.#send(stream, served.answer, false);
    served?.after?.();
    return timeoutMs;
  }

  #send(stream: ByteStream, message: StreamMessage, dialling: boolean): void {
    const { sealer, label, counters } = this.#init;
    const seal = sealer.layer();
    const bytes = encodeStream(message, { compress: true, seal, label });
    const framed = dialling ? addLabel(label, bytes) : bytes;
    countSent(counters, framed, seal !== undefined);
    stream.write(framed);
  }

  /** Reads one message; the deadline covers all of it, however it drips. */
  #read(stream: ByteStream, timeoutMs: number, accepting: boolean): Promise<ExchangeResult> {
    const { clock, sealer, label, counters } = this.#init;
    const open = sealer.opener();
    const { verifyIncoming } = sealer.policy;
    const decoding = { label, expectLabelHeader: accepting, open, verifyIncoming };
    let parser: StreamParser | undefined = new StreamParser(decoding);
    // Whom we have dialled is who we want to hear.
    const isMember = (): boolean => !accepting || this.#init.isMember(stream.remote.ip);
    const share = this.#unproven.open(isMember);
    return new Promise((resolve) => {
      const finish = (result: ExchangeResult): void => {
        if (parser === undefined) return;
        parser = undefined;
        share.hold(0);
        cancel();
        resolve(result);
      };
      const cancel = clock.schedule(clock.now() + timeoutMs, () => {
        finish({ kind: "failed", reason: "i/o timeout" });
        stream.destroy();
      });
      const hold = (bytes: number): void => {
        if (!share.hold(bytes)) finish({ kind: "refused", reason: "no-room" });
      };
      const parse = (bytes: Uint8Array): void => {
        if (parser === undefined) return;
        const progress = parser.push(bytes);
        if (progress.kind === "more") hold(parser.heldBytes);
        else if (progress.kind === "refused") finish(progress);
        else {
          counters.received += 1;
          countAccepted(counters, progress.sealed);
          finish({ kind: "answer", message: progress.message });
        }
      };
      stream.listen({
        data: (bytes) => {
          counters.receivedBytes += bytes.length;
          if (parser === undefined) return;
          if (this.#turn.take(bytes.length)) return parse(bytes);
          hold(parser.heldBytes + bytes.length);
          stream.pause();
          this.#turn.later(bytes.length, () => {
            parse(bytes);
            stream.resume();
          });
        },
        ended: () => finish({ kind: "failed", reason: "EOF" }),
        closed: (error) => finish({ kind: "failed", reason: error?.message ?? "EOF" }),
      });
    });
  }
}
