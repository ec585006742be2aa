/**
 * The rule for what outlives a release: what servers agree on has a format, a number that grows
 * with every table and every command that an older release would lose.
 *
 *   Commands   a server tells the others by gossip up to which format it reads. A leader writes a
 *              command only when the whole group reads it. Whoever finds a later one in its log
 *              stops there, and loses nothing.
 *   Images     have the format of the latest record in them, not of the release that writes them:
 *              what nobody has used yet keeps nobody from going back to the release before.
 *   New fields in a known record are for what an older release may drop; whatever it must not
 *              drop is a new record, or a new command. Fields are only added, and never change
 *              their meaning; a reader passes over those that it does not know.
 *
 * So every release reads what all earlier ones have written, and an earlier one either reads what
 * a later one has written, all of it, or refuses it in plain words.
 *
 * @module
 */
declare const AGENT_STATE_FORMAT: number | undefined;

/** Whatever is not in the tables below came with this one. A build for a test may be older. */
const LATEST = 2;
/** Up to which this build reads and writes. */
export const STATE_FORMAT: number =
  typeof AGENT_STATE_FORMAT === "number" ? AGENT_STATE_FORMAT : LATEST;

/** Of servers that do not say it. */
export const FIRST_FORMAT = 1;

/** Message types (command.ts) of the first format; others go here once there is a third. */
const COMMANDS: ReadonlyMap<number, number> = new Map(
  [0, 1, 2, 3, 24, 25, 28, 29, 31, 32, 59, 60, 125].map((type) => [type, FIRST_FORMAT]),
);

/** The same of records (image.ts): nodes, indexes, the cluster's id, node pools. */
const RECORDS: ReadonlyMap<number, number> = new Map(
  [0, 2, 14, 28].map((type) => [type, FIRST_FORMAT]),
);

/** @param type one that some release of ours writes */
export function formatOfCommand(type: number): number {
  return COMMANDS.get(type) ?? LATEST;
}

/** @param type one that some release of ours writes */
export function formatOfRecord(type: number): number {
  return RECORDS.get(type) ?? LATEST;
}

/** Of the keys that sign identities, which stand in an image's header. */
export const SIGNING_FORMAT = 2;

/** For an operator. */
export function laterFormat(format: number): string {
  return (
    `it was written by a later release (its format is ${format}, and this one reads up to ` +
    `${STATE_FORMAT}): use that one`
  );
}
