/** SWIM's notes in memberlist's words, which people and their tools know. */
import type { LogFields } from "../../host/host.ts";
import { formatAddress } from "../../host/ip.ts";
import type { SwimNote } from "../../protocol/swim/action.ts";
import { printable } from "../../wire/text.ts";

interface DescribedNote {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields: LogFields;
  /** A stranger can cause it as often as he likes: summed up under this name. */
  readonly oftenAs?: string;
}

const IMPLAUSIBLE: Readonly<Record<(SwimNote & { what: "implausible" })["reason"], string>> = {
  "bad-name":
    "memberlist: ignoring a node whose name is empty, above 255 bytes, or has control characters",
  "bad-meta": "memberlist: ignoring a node with more than 512 bytes of meta data",
  "incarnation-jump": "memberlist: ignoring an incarnation that no node can have reached",
  "clock-jump": "serf: ignoring a Lamport time that no node can have reached",
  "event-limit": "serf: ignoring an event: it is too large, or there are too many of its time",
};

export function describeNote(note: SwimNote): DescribedNote {
  switch (note.what) {
    case "suspecting": {
      const text = `memberlist: Suspect ${printable(note.node)} has failed, no acks received`;
      return { level: "info", text, fields: { accuser: printable(note.from) } };
    }
    case "failed": {
      const text =
        `memberlist: Marking ${printable(note.node)} as failed, suspect timeout reached ` +
        `(${note.confirmations} peer confirmations)`;
      return { level: "info", text, fields: {} };
    }
    case "refuting": {
      const text = `memberlist: Refuting a ${note.accusation} message`;
      return { level: "debug", text, fields: { from: printable(note.from) } };
    }
    case "conflict": {
      const fields = {
        node: printable(note.node),
        mine: formatAddress(note.known),
        theirs: formatAddress(note.claimed),
        next: "give one of the two another name, or stop one",
      };
      const text = "memberlist: Conflicting address for a node";
      return { level: "error", text, fields, oftenAs: "conflict" };
    }
    case "no-udp": {
      const text =
        `memberlist: Was able to connect to ${printable(note.node)} over TCP but UDP probes ` +
        "failed, network may be misconfigured";
      return { level: "warn", text, fields: {} };
    }
    case "implausible": {
      const fields = { node: printable(note.node) };
      return { level: "warn", text: IMPLAUSIBLE[note.reason], fields, oftenAs: note.reason };
    }
    case "not-allowed": {
      const fields = { node: printable(note.node), reason: printable(note.reason) };
      const text = "memberlist: ignoring a node";
      return { level: "warn", text, fields, oftenAs: "not-allowed" };
    }
  }
}
