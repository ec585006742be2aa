/** Gossip packets: sealed and counted on the way out, opened, refused and counted on the way in. */
import type { Address } from "../../protocol/ports.ts";
import type { Message } from "../../protocol/swim/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/gossip-message.ts";
import { decodePacket, encodePackets, type PacketRefusal } from "../../wire/gossip-packet.ts";
import { countRefusal } from "../refusals.ts";
import { countAccepted, countSent, type TrafficCounters } from "./counters.ts";
import type { Sealer } from "./sealer.ts";

interface PacketsInit {
  readonly sealer: Sealer;
  readonly label: Uint8Array;
  readonly counters: TrafficCounters;
  readonly send: (packet: Uint8Array, to: Address) => void;
  /** Counted already. */
  readonly refused: (reason: PacketRefusal | "malformed", from: Address) => void;
}

export class Packets {
  readonly #init: PacketsInit;

  constructor(init: PacketsInit) {
    this.#init = init;
  }

  /** @param crc whether the peer is known to understand checksums */
  send(to: Address, messages: readonly Message[], crc: boolean): void {
    const { sealer, label, counters } = this.#init;
    const seal = sealer.layer();
    const encoded = messages.map(encodeMessage);
    for (const packet of encodePackets(encoded, { label, compress: true, crc, seal })) {
      countSent(counters, packet, seal !== undefined);
      this.#init.send(packet, to);
    }
  }

  /** What it says, as far as it can be read. */
  open(bytes: Uint8Array, from: Address): readonly Message[] {
    const { sealer, label, counters } = this.#init;
    const { verifyIncoming } = sealer.policy;
    counters.received += 1;
    counters.receivedBytes += bytes.length;
    const opened = decodePacket(bytes, { label, open: sealer.opener(), verifyIncoming });
    for (const refusal of opened.refusals) this.#refuse(refusal, from);
    if (opened.messages.length === 0) return [];
    countAccepted(counters, opened.sealed);
    const messages: Message[] = [];
    for (const leaf of opened.messages) {
      const message = decodeMessage(leaf);
      if (message === undefined) this.#refuse("malformed", from);
      else messages.push(message);
    }
    return messages;
  }

  #refuse(reason: PacketRefusal | "malformed", from: Address): void {
    countRefusal(this.#init.counters.refused, reason);
    this.#init.refused(reason, from);
  }
}
