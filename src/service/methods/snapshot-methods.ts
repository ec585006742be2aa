/**
 * Operator.SnapshotSave and SnapshotRestore: the state of the servers as an archive for operators
 * (wire/rpc-and-raft.md §7.3).
 *
 * A restore is an ordinary entry of the log. hashicorp/raft instead replaces the leader's own state
 * and log first, and sends the others its snapshot: whoever has it when the leader dies halfway
 * disagrees with whoever leads next.
 *
 * @module
 */
import { sha256 } from "../../host/digest.ts";
import { errorText } from "../../host/error-text.ts";
import { finish } from "../../host/finish.ts";
import type { ByteStream, Log } from "../../host/host.ts";
import { restoreCommand } from "../../state/command.ts";
import {
  countRecords,
  type RecordCount,
  readImage,
  whyUnreadable,
  writeImage,
} from "../../state/image.ts";
import { type Codec, encodeValue, structOf } from "../../wire/codec.ts";
import {
  snapshotRestoreReply,
  snapshotRestoreRequest,
  snapshotSaveReply,
} from "../../wire/rpc-snapshot.ts";
import { queryOptions } from "../../wire/rpc-status.ts";
import { streamFrame } from "../../wire/rpc-stream.ts";
import { ByteQueue } from "../byte-queue.ts";
import type { Consensus } from "../raft/consensus.ts";
import type { RpcForwarder } from "../rpc/client/forward.ts";
import type { PoolTarget } from "../rpc/client/pool.ts";
import type { RpcCaller } from "../rpc/method-error.ts";
import { isAnyServer } from "../rpc/roles.ts";
import { REQUEST_BYTES_MAX, type ValueStream } from "../rpc/value-stream.ts";
import type { MethodGuard } from "./method-guard.ts";
import { ARCHIVE_BYTES_MAX, packArchive, unpackArchive } from "./snapshot-archive.ts";
import { HANDSHAKE_MS, passOn, type StreamCall, type StreamMethod } from "./stream-methods.ts";

export const SNAPSHOT_SAVE = "Operator.SnapshotSave";
export const SNAPSHOT_RESTORE = "Operator.SnapshotRestore";

/** For the next piece of an archive, to come or to be taken. */
const PIECE_MS = 60_000;
/** Of a state that goes into one entry of the log. */
const STATE_BYTES_MAX = 32 * 1024 * 1024;

interface SnapshotMethodsInit {
  readonly region: string;
  readonly consensus: Consensus;
  readonly forwarder: RpcForwarder;
  readonly leader: () => PoolTarget | "self" | undefined;
  readonly guard?: Pick<MethodGuard, "check">;
  readonly nowMs: () => number;
  readonly log: Log;
  /** We lead, and the state is another one. */
  readonly restored: () => void;
}

/** What cannot be answered, and how Nomad's HTTP API says so. */
class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export function snapshotMethods(init: SnapshotMethodsInit): ReadonlyMap<string, StreamMethod> {
  return new Map<string, StreamMethod>([
    [SNAPSHOT_SAVE, { serve: (stream, values, caller) => save(init, { stream, values }, caller) }],
    [
      SNAPSHOT_RESTORE,
      { serve: (stream, values, caller) => restore(init, { stream, values }, caller) },
    ],
  ]);
}

async function save(init: SnapshotMethodsInit, call: StreamCall, caller: RpcCaller): Promise<void> {
  const { stream, values } = call;
  const request = await values.next(queryOptions, HANDSHAKE_MS, REQUEST_BYTES_MAX);
  if (request === undefined) return stream.destroy();
  await answered(stream, snapshotSaveReply, async () => {
    mustBeServer(caller);
    const to = whereTo(init, request.Region, request.Forwarded, request.AllowStale);
    if (to !== "self") {
      const body = encodeValue(queryOptions, { ...request, Forwarded: true });
      return passOn(call, init.forwarder, to, SNAPSHOT_SAVE, body);
    }
    mustMay(init, SNAPSHOT_SAVE, request.AuthToken);
    const { consensus, nowMs } = init;
    // Everything that was promised before is in it.
    if (!request.AllowStale) await consensus.verify();
    const { meta, data } = consensus.snapshot();
    const archive = await packArchive(meta, data, nowMs());
    const reply = structOf(snapshotSaveReply, {
      Index: BigInt(meta.index),
      KnownLeader: consensus.leader !== undefined,
      SnapshotChecksum: `sha-256=${sha256(archive).toBase64()}`,
    });
    stream.write(encodeValue(snapshotSaveReply, reply));
    if (await values.send(archive, PIECE_MS)) void finish(stream, PIECE_MS);
    else stream.destroy();
  });
}

async function restore(
  init: SnapshotMethodsInit,
  call: StreamCall,
  caller: RpcCaller,
): Promise<void> {
  const { stream, values } = call;
  const request = await values.next(snapshotRestoreRequest, HANDSHAKE_MS, REQUEST_BYTES_MAX);
  if (request === undefined) return stream.destroy();
  await answered(stream, snapshotRestoreReply, async () => {
    mustBeServer(caller);
    const to = whereTo(init, request.Region, request.Forwarded, false);
    if (to !== "self") {
      const body = encodeValue(snapshotRestoreRequest, { ...request, Forwarded: true });
      return passOn(call, init.forwarder, to, SNAPSHOT_RESTORE, body);
    }
    mustMay(init, SNAPSHOT_RESTORE, request.AuthToken);
    const { consensus, log, restored } = init;
    const { meta, state } = await unpackArchive(await readArchive(values)).catch((error) => {
      throw new SnapshotError(400, `cannot restore: ${errorText(error)}`);
    });
    const counts = countRecords(state);
    const content = readImage(state);
    if (counts === undefined || content === undefined) {
      throw new SnapshotError(400, `cannot restore: state.bin: ${whyUnreadable(state)}`);
    }
    // What nobody here would keep need not go through the log.
    const kept = writeImage(content, BigInt(meta.index));
    if (kept.length > STATE_BYTES_MAX) {
      const found = `${(kept.length / 2 ** 20).toFixed(1)} MiB of state`;
      const most = `${STATE_BYTES_MAX / 2 ** 20} MiB`;
      throw new SnapshotError(400, `cannot restore: there are ${found}, and ${most} is the most`);
    }
    const { index, outcome } = await consensus.apply(restoreCommand(kept));
    if (outcome !== "applied") throw new SnapshotError(500, "cannot restore: it was not taken");
    restored();
    log.info("state restored from a snapshot", { snapshot: meta.id, index });
    const report = restoreReport(counts);
    const left = report.LeftOut.map((one) => `${one.Count} ${one.Name}`);
    if (left.length > 0) log.warn("records that are not kept here were left out", { left });
    const told = left.length > 0 ? report : {};
    const answer = { Index: BigInt(index), KnownLeader: true, ...told };
    const reply = structOf(snapshotRestoreReply, answer);
    stream.write(encodeValue(snapshotRestoreReply, reply));
    void finish(stream);
  });
}

/** What of a snapshot is kept; a table's index counts as nothing. */
function restoreReport(counts: readonly RecordCount[]) {
  const some = (kept: boolean) =>
    counts
      .filter((one) => one.kept === kept && one.name !== "Index")
      .map(({ name, count }) => ({ Name: name, Count: BigInt(count) }));
  return { Kept: some(true), LeftOut: some(false) };
}

/** An error is an answer, too. */
async function answered<T extends { readonly ErrorCode: bigint; readonly ErrorMsg: string }>(
  stream: ByteStream,
  reply: Codec<T>,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof SnapshotError ? error.code : 500;
    const failure = { ...reply.zero, ErrorCode: BigInt(code), ErrorMsg: errorText(error) };
    stream.write(encodeValue(reply, failure));
    void finish(stream);
  }
}

/**
 * The state holds the secrets of all clients, and a restore replaces it: a client's certificate is
 * not enough. Operators come by HTTP, or by another server. @throws SnapshotError
 */
function mustBeServer({ names }: RpcCaller): void {
  if (names !== undefined && !isAnyServer(names)) throw new SnapshotError(403, "Permission denied");
}

/** @throws SnapshotError */
function mustMay({ guard }: SnapshotMethodsInit, name: string, token: string): void {
  try {
    guard?.check(name, token, new Uint8Array(0));
  } catch (error) {
    throw new SnapshotError(403, errorText(error));
  }
}

/** @throws SnapshotError */
function whereTo(
  { region, leader }: SnapshotMethodsInit,
  wanted: string,
  forwarded: boolean,
  stale: boolean,
): PoolTarget | string {
  if (wanted !== "" && wanted !== region) {
    if (forwarded) throw new SnapshotError(500, "No path to region");
    return wanted;
  }
  const target = stale ? "self" : leader();
  if (target === undefined) throw new SnapshotError(500, "No cluster leader");
  return target;
}

/** Frames until one says that this was the last. @throws SnapshotError */
async function readArchive(values: ValueStream): Promise<Uint8Array> {
  // Joined as they come: a frame may have one byte.
  const archive = new ByteQueue();
  for (;;) {
    const frame = await values.next(streamFrame, PIECE_MS);
    if (frame === undefined) throw new SnapshotError(400, "the archive has not come to its end");
    const piece = frame.Payload ?? new Uint8Array(0);
    if (archive.length + piece.length > ARCHIVE_BYTES_MAX) {
      throw new SnapshotError(413, `the archive has more than ${ARCHIVE_BYTES_MAX / 2 ** 20} MiB`);
    }
    archive.push(piece);
    if (frame.Error === null) continue;
    if (frame.Error.Message !== "EOF") throw new SnapshotError(400, frame.Error.Message);
    return archive.peek().slice();
  }
}
