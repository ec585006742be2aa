/**
 * Why gossip was refused, for the side that reads it: what was found, which keys are at hand (as
 * fingerprints), and what to do next. The library says the first only, and only on one side.
 *
 * @module
 */
import type { PacketRefusal } from "../../wire/gossip-packet.ts";
import type { StreamRefusal } from "../../wire/gossip-stream.ts";
import type { ExchangeResult } from "./stream-sync.ts";

/** Which port something answers on is the commonest mistake of all. */
const WRONG_PORT =
  "the connection was closed without an answer: is that a gossip (Serf) port? " +
  "Gossip is usually on 4648, RPC on 4647, HTTP on 4646";

/** For the receiver's log. */
export function receiveProblem(reason: PacketRefusal | StreamRefusal | "malformed"): string {
  switch (reason) {
    case "no-key-opens":
      return (
        "failed to receive: no installed keys could decrypt the message; the sender encrypts with " +
        "a key that is not in our keyring: compare key fingerprints in /v1/status on both sides"
      );
    case "plaintext":
      return (
        "failed to receive: encryption is configured but remote state is not encrypted; the " +
        "sender has no gossip key: set server.encrypt there"
      );
    case "unexpected-encryption":
      return (
        "failed to receive: remote state is encrypted and encryption is not configured; this " +
        "agent has no gossip key: set server.encrypt here"
      );
    case "label":
      return "failed to receive: unexpected label header";
    case "no-room":
      return "failed to receive: too many bytes that no key has opened yet, over all connections";
    case "checksum":
      return "failed to receive: checksum mismatch";
    default:
      return `failed to receive: ${reason}`;
  }
}

/** For whoever dialled; undefined if the exchange worked. */
export function dialProblem(
  result: ExchangeResult,
  ownFingerprints: readonly string[],
): string | undefined {
  const keys = ownFingerprints.length === 0 ? "none" : ownFingerprints.join(", ");
  if (result.kind === "failed")
    return result.reason === "EOF" ? `EOF: ${WRONG_PORT}` : result.reason;
  if (result.kind === "answer") {
    if (result.message.kind !== "err") return undefined;
    const { error } = result.message;
    const hint = /crypt/.test(error) ? ` (our gossip keys: ${keys})` : "";
    return `the peer refused: ${error}${hint}`;
  }
  switch (result.reason) {
    case "unexpected-encryption":
      return (
        "remote state is encrypted and encryption is not configured: the cluster uses a gossip " +
        "key and this agent has none; set server.encrypt to the cluster's key"
      );
    case "plaintext":
      return (
        `encryption is configured (our gossip keys: ${keys}) but remote state is not encrypted: ` +
        "the cluster has no gossip key; give it one, or remove server.encrypt here"
      );
    case "no-key-opens":
      return (
        `no installed keys could decrypt the message: our gossip keys (${keys}) are not the ` +
        "cluster's; compare with gossip.keys in /v1/status of a member, then set server.encrypt " +
        "and remove a stale server/serf.keyring"
      );
    default:
      return `the peer's answer was refused: ${result.reason}`;
  }
}
