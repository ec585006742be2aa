/**
 * The connections of client nodes to this server: a node that has said on one who it is can be
 * asked on it, too (wire/rpc-and-raft.md §6.5).
 *
 * @module
 */
import type { ByteStream } from "../../host/host.ts";
import type { CallerLine } from "./method-error.ts";
import { RpcMode } from "./mode.ts";

/** From here on, those that have ended are looked for before another is kept. */
const LINES_MANY = 1024;

interface Known {
  readonly line: CallerLine;
  readonly sinceMs: number;
}

export class NodeLines {
  readonly #lines = new Map<string, Known>();
  /** Unix time. */
  readonly #wallMs: () => number;
  #many = LINES_MANY;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** A node has proved on this connection who it is. */
  heard(nodeId: string, line: CallerLine): void {
    if (this.#lines.get(nodeId)?.line === line) return;
    this.#lines.set(nodeId, { line, sinceMs: this.#wallMs() });
    if (this.#lines.size < this.#many) return;
    for (const [id, { line }] of this.#lines) if (!line.open) this.#lines.delete(id);
    this.#many = Math.max(LINES_MANY, 2 * this.#lines.size);
  }

  /** Since when it is connected here, in Unix time; undefined: it is not. */
  since(nodeId: string): number | undefined {
    const known = this.#lines.get(nodeId);
    if (known === undefined) return undefined;
    if (known.line.open) return known.sinceMs;
    this.#lines.delete(nodeId);
    return undefined;
  }

  /** A stream to it for a call of this kind; undefined: it is not connected here. */
  stream(nodeId: string, mode: RpcMode = RpcMode.streaming): ByteStream | undefined {
    const known = this.since(nodeId) === undefined ? undefined : this.#lines.get(nodeId);
    const stream = known?.line.openStream();
    stream?.write(Uint8Array.of(mode));
    return stream;
  }
}
