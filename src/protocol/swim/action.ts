/** What a SWIM machine wants done. */
import type { Address } from "../ports.ts";
import type { Message, Peer, Ping } from "./message.ts";

export type SwimAction =
  /** One datagram (more if over 255 messages). */
  | {
      readonly kind: "send";
      readonly to: Address;
      readonly messages: readonly Message[];
      /** The target understands the checksum layer. */
      readonly crc: boolean;
    }
  /** A ping over a stream; answer with `streamAck`. */
  | {
      readonly kind: "stream-ping";
      readonly to: Peer;
      readonly ping: Ping;
      readonly timeoutMs: number;
    }
  /** A push/pull over a stream; answer with `merge`. */
  | { readonly kind: "sync"; readonly with: Peer }
  | { readonly kind: "note"; readonly note: SwimNote };

/** Something an operator may want to read; the driver decides how. */
export type SwimNote =
  | { readonly what: "suspecting"; readonly node: string; readonly from: string }
  | {
      readonly what: "failed";
      readonly node: string;
      readonly confirmations: number;
    }
  | { readonly what: "refuting"; readonly accusation: string; readonly from: string }
  | {
      readonly what: "conflict";
      readonly node: string;
      readonly known: Address;
      readonly claimed: Address;
    }
  | { readonly what: "no-udp"; readonly node: string }
  /** Refused: no honest node says so. */
  | {
      readonly what: "implausible";
      readonly reason: "bad-name" | "bad-meta" | "incarnation-jump" | "clock-jump" | "event-limit";
      readonly node: string;
    }
  | { readonly what: "not-allowed"; readonly node: string; readonly reason: string };
