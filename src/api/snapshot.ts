/** GET and PUT /v1/operator/snapshot: the servers' state as an archive. */
import { sha256 } from "../host/digest.ts";
import { errorText } from "../host/error-text.ts";
import { ARCHIVE_BYTES_MAX } from "../service/methods/snapshot-archive.ts";
import { SNAPSHOT_RESTORE, SNAPSHOT_SAVE } from "../service/methods/snapshot-methods.ts";
import type { StreamCall } from "../service/methods/stream-methods.ts";
import { type Codec, encodeValue, structOf } from "../wire/codec.ts";
import {
  type SnapshotRestoreReply,
  snapshotRestoreReply,
  snapshotRestoreRequest,
  snapshotSaveReply,
} from "../wire/rpc-snapshot.ts";
import { encodeFrame, encodeFrameError } from "../wire/rpc-stream.ts";
import { type Asked, readBody } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";

const ANSWER_MS = 60_000;
const PIECE_MS = 60_000;
const PIECE_BYTES = 32 * 1024;

interface ArchiveAnswer {
  readonly archive: Uint8Array;
  /** `sha-256=<base64>`, for the Digest header. */
  readonly digest: string;
}

/** @throws ApiError */
export async function saveArchive(context: ApiContext, asked: Asked): Promise<ArchiveAnswer> {
  const call = await open(context, SNAPSHOT_SAVE, readBody(asked));
  try {
    const { SnapshotChecksum: digest } = await replyOf(call, snapshotSaveReply);
    const pieces: Uint8Array[] = [];
    for (let bytes = 0; bytes <= ARCHIVE_BYTES_MAX; ) {
      const piece = await call.values.some(PIECE_MS);
      if (piece === undefined) break;
      bytes += piece.length;
      pieces.push(piece);
    }
    const archive = Buffer.concat(pieces);
    if (digest !== `sha-256=${sha256(archive).toBase64()}`) {
      throw new ApiError(500, "the archive that came is not the one that was promised");
    }
    return { archive, digest };
  } finally {
    call.stream.destroy();
  }
}

interface RestoreAnswer {
  /** How many records of each type there were. */
  readonly Kept: Readonly<Record<string, number>>;
  readonly LeftOut: Readonly<Record<string, number>>;
}

/**
 * @returns what was left out, and what was not; undefined: the whole snapshot is in force
 * @throws ApiError
 */
export async function restoreArchive(
  context: ApiContext,
  asked: Asked,
  archive: Uint8Array,
): Promise<RestoreAnswer | undefined> {
  const request = structOf(snapshotRestoreRequest, { Region: asked.region });
  const call = await open(context, SNAPSHOT_RESTORE, encodeValue(snapshotRestoreRequest, request));
  try {
    for (let at = 0; at < archive.length; at += PIECE_BYTES) {
      const frame = encodeFrame(archive.subarray(at, at + PIECE_BYTES));
      if (!(await call.values.send(frame, PIECE_MS))) break; // There is an answer why.
    }
    call.stream.write(encodeFrameError(undefined, "EOF"));
    const { Kept, LeftOut } = await replyOf(call, snapshotRestoreReply);
    if (LeftOut === null || LeftOut.length === 0) return undefined;
    return { Kept: countsOf(Kept), LeftOut: countsOf(LeftOut) };
  } finally {
    call.stream.destroy();
  }
}

function countsOf(records: SnapshotRestoreReply["Kept"]): Readonly<Record<string, number>> {
  return Object.fromEntries((records ?? []).map(({ Name, Count }) => [Name, Number(Count)]));
}

async function open(context: ApiContext, method: string, request: Uint8Array): Promise<StreamCall> {
  if (context.gossip === undefined) {
    throw new ApiError(501, "snapshots do not go through a client: ask a server");
  }
  try {
    return await context.streams.open(method, request);
  } catch (error) {
    throw new ApiError(500, errorText(error));
  }
}

async function replyOf<T extends { readonly ErrorCode: bigint; readonly ErrorMsg: string }>(
  { values }: StreamCall,
  codec: Codec<T>,
): Promise<T> {
  const reply = await values.next(codec, ANSWER_MS);
  if (reply === undefined) throw new ApiError(500, "the server's answer cannot be read");
  if (reply.ErrorMsg !== "") throw new ApiError(Number(reply.ErrorCode) || 500, reply.ErrorMsg);
  return reply;
}
