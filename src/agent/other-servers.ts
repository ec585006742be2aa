/** The servers that live besides this one. */
import type { ApiContext } from "../api/context.ts";
import { printable } from "../wire/text.ts";

/** Their names, fit to be printed, in order. */
export async function otherServers(context: ApiContext): Promise<readonly string[]> {
  const { members, serverName, serverRegion } = await context.members();
  const self = `${serverName}.${serverRegion}`;
  const others = members.filter(({ status, name }) => status === "alive" && name !== self);
  return others.map(({ name }) => printable(name)).sort();
}
