/**
 * Who may speak Raft with this server: servers of our kind, and of each node id one. Both ends
 * check, in whatever order they have met, and whatever gossip has said.
 *
 * @module
 */
import { formatAddress } from "../../host/ip.ts";
import type { Address } from "../../protocol/ports.ts";
import type { RaftServer, Sender } from "../../protocol/raft/message.ts";
import type { RaftGreeting } from "../../wire/raft-greeting.ts";
import type { RefusalLog } from "../refusals.ts";

/** hashicorp/raft writes it into its log. */
const OTHER_KIND =
  "this server is of another kind than the caller: both cannot be in one Raft group; " +
  "give this cluster a region of its own";

export interface Door {
  /** Calls are taken without a greeting: only where the protocol is tested. */
  readonly unsafeWithoutGreeting: boolean;
  /** Why whoever greets so is refused; undefined: it is not. */
  readonly greeted: (greeting: RaftGreeting, remote: Address) => string | undefined;
  /** Why whoever calls without a greeting is refused. */
  readonly notGreeted: (remote: Address) => string;
}

interface DoorInit {
  readonly self: Sender;
  readonly region: string;
  /** Of our latest configuration. */
  readonly servers: () => readonly RaftServer[];
  readonly unsafeWithoutGreeting: boolean;
  readonly refusals: RefusalLog;
  /** For the counters. */
  readonly count: (reason: "raft-greeting" | "raft-other-kind") => void;
}

export function createDoor(init: DoorInit): Door {
  const { self, region, servers, unsafeWithoutGreeting, refusals, count } = init;
  return {
    unsafeWithoutGreeting,
    greeted(greeting, remote) {
      const why = refuseGreeting(greeting, self, servers());
      if (why === undefined) return undefined;
      count("raft-greeting");
      refusals.note("raft-greeting", "refused the Raft calls of a server", () => ({
        remote_addr: formatAddress(remote),
        why,
      }));
      return why;
    },
    notGreeted(remote) {
      count("raft-other-kind");
      refusals.note(
        "raft-other-kind",
        "refused the Raft calls of a server of another kind",
        () => ({
          remote_addr: formatAddress(remote),
          region,
          next: "give its cluster, or this one, a region of its own; upgrade an old build of this agent",
        }),
      );
      return OTHER_KIND;
    },
  };
}

function refuseGreeting(
  { from, to }: RaftGreeting,
  self: Sender,
  servers: readonly RaftServer[],
): string | undefined {
  if (to !== self.id) return `${self.address} is the server with node id ${self.id}, not ${to}`;
  const known = from.id === self.id ? self : servers.find((one) => one.id === from.id);
  if (known === undefined || known.address === from.address) return undefined;
  return (
    `the server with node id ${from.id} is at ${known.address}, and not at ${from.address}: ` +
    "either it has moved, and the leader has not seen that yet, or one data_dir is a copy of the " +
    "other: then remove server/node-id and server/raft from the newcomer's"
  );
}
