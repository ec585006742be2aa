/** A moment as Nomad prints it: RFC 3339 in whole seconds, in UTC. */
export function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d+Z$/, "Z");
}
