/** Which certificate may do what on the RPC port (wire/rpc-and-raft.md §1.1). */

/** The name that a server of `region` has to prove. */
export function serverName(region: string): string {
  return `server.${region}.nomad`;
}

export function clientName(region: string): string {
  return `client.${region}.nomad`;
}

/**
 * May the holder of a certificate with these names speak RPC to a server of `ownRegion`?
 * Servers of every region may (federation), clients only of the own one.
 */
export function mayDial(names: readonly string[], ownRegion: string): boolean {
  return names.includes(clientName(ownRegion)) || isAnyServer(names);
}

/** Is it a server, of whatever region? */
export function isAnyServer(names: readonly string[]): boolean {
  return names.some((name) => {
    const parts = name.split(".");
    return parts.length >= 3 && parts[0] === "server" && parts.at(-1) === "nomad";
  });
}

/** Is it a server of `region`? Its own methods, and Raft, are for these only. */
export function isServer(names: readonly string[], region: string): boolean {
  return names.includes(serverName(region));
}
