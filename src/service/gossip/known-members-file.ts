/**
 * The file of known members, which Serf calls its snapshot: appended to as things happen, written
 * anew when it has grown, synced where a restart depends on it (wire/gossip.md §12). A disk that
 * fails costs the rejoin, nothing else.
 *
 * @module
 */

import { dirname } from "node:path";
import { makeDirectory, readFileIfThere, SECRET_MODE, writeFileAtomic } from "../../host/disk.ts";
import { errorText } from "../../host/error-text.ts";
import { AppendedFile } from "../../host/files.ts";
import type { Log } from "../../host/host.ts";
import { formatAddress } from "../../host/ip.ts";
import type { SerfEvent } from "../../protocol/serf/action.ts";
import {
  type KnownMembers,
  KnownMembersWriter,
  readKnownMembers,
} from "../../protocol/serf/known-members.ts";
import { decodeText, encodeText } from "../../wire/text.ts";

export class KnownMembersFile {
  readonly restored: KnownMembers;
  readonly #path: string;
  readonly #log: Log;
  readonly #writer: KnownMembersWriter;
  #file: AppendedFile;
  #bytes: number;

  /** @throws Error when the file cannot be opened */
  constructor(path: string, rejoinAfterLeave: boolean, log: Log) {
    makeDirectory(dirname(path));
    this.#path = path;
    this.#log = log;
    const stored = readFileIfThere(path);
    const text = stored === undefined ? "" : decodeText(stored);
    this.restored = readKnownMembers(text, rejoinAfterLeave);
    this.#writer = new KnownMembersWriter(this.restored);
    // What a crash left of the last line must not become part of the next one.
    const whole = text.endsWith("\n") || text === "";
    if (!whole) writeFileAtomic(path, encodeText(this.#writer.compacted()), SECRET_MODE);
    this.#file = new AppendedFile(path, SECRET_MODE);
    this.#bytes = this.#file.size;
  }

  event(event: SerfEvent, clock: bigint): void {
    const address = "member" in event ? formatAddress(event.member) : "";
    this.#append(this.#writer.event(event, address, clock));
  }

  /** The clock moves without events too; call it now and then. */
  clock(now: bigint): void {
    this.#append(this.#writer.clock(now));
  }

  leave(): void {
    this.#append(this.#writer.leave());
    this.#sync();
  }

  close(): void {
    this.#sync();
    this.#file.close();
  }

  #append(lines: string): void {
    if (lines === "") return;
    try {
      const bytes = encodeText(lines);
      this.#file.append(bytes);
      this.#bytes += bytes.length;
      if (this.#writer.shouldCompact(this.#bytes)) this.#compact();
    } catch (error) {
      this.#complain(error);
    }
  }

  #compact(): void {
    const bytes = encodeText(this.#writer.compacted());
    writeFileAtomic(this.#path, bytes, SECRET_MODE);
    this.#file.close();
    this.#file = new AppendedFile(this.#path, SECRET_MODE);
    this.#bytes = bytes.length;
  }

  #sync(): void {
    try {
      this.#file.sync();
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    const text = errorText(error);
    this.#log.error("serf: failed to update snapshot", { path: this.#path, error: text });
  }
}
