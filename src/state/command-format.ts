/** Which format a server must read to do a command of the log (format.ts). */
import { decodeValue } from "../wire/codec.ts";
import { AclMessage } from "./acl/acl-changes.ts";
import { IGNORABLE, MessageType, restoreRequest } from "./command.ts";
import { FIRST_FORMAT, formatOfCommand, STATE_FORMAT } from "./format.ts";
import { formatOfImage } from "./image.ts";

const KNOWN: ReadonlySet<number> = new Set([
  ...Object.values(MessageType),
  ...Object.values(AclMessage),
]);
/** Nomad's types end far below. Our own tell its servers, and no others, to skip them. */
const [OWN_FIRST, OWN_LAST] = [100, 126];

/**
 * @param data an entry's
 * @returns undefined: no release up to this one knows it, and it may not be skipped
 */
export function commandFormat(data: Uint8Array): number | undefined {
  const type = (data[0] ?? IGNORABLE) & ~IGNORABLE;
  const isOwn = type >= OWN_FIRST && type <= OWN_LAST;
  const mayBeSkipped = ((data[0] ?? IGNORABLE) & IGNORABLE) !== 0 && !isOwn;
  if (!KNOWN.has(type)) return mayBeSkipped ? FIRST_FORMAT : undefined;
  if (type !== MessageType.restore) return formatOfCommand(type);
  const image = decodeValue(restoreRequest, data.subarray(1))?.Snapshot;
  return image === undefined || image === null ? FIRST_FORMAT : formatOfImage(image);
}

/** Is it of a later release, which this one could only lose? */
export function isLaterCommand(data: Uint8Array): boolean {
  return (commandFormat(data) ?? Number.POSITIVE_INFINITY) > STATE_FORMAT;
}
