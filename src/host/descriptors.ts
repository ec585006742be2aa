/**
 * The file descriptors of this process, and who may take one. The kernel hands out no more than the
 * limit, and a server that has none left can neither write its log nor answer anybody: connections
 * of strangers are closed while there is still a share for peers, and those of peers while there is
 * one for files and calls of our own.
 *
 * The runtime raises the soft limit to the hard one as it starts.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { isLoopback } from "./ip.ts";

/** Raft's files, the log, the child that reads the configuration, and calls to other servers. */
const OWN_MAX = 128;
/** Of what is left, what only peers may take. */
const PEERS_PART = 4;
/** Fewer are named at start: each client of a server keeps a connection. */
export const DESCRIPTORS_FEW = 1024;

interface DescriptorWatch {
  /** Does a living member of the cluster have this address? */
  readonly isPeer: (ip: Uint8Array) => boolean;
  /** A connection was closed as soon as it was accepted. */
  readonly refused: () => void;
}

export class Descriptors {
  readonly limit: number;
  #connections = 0;
  #refused = 0;
  #watch: DescriptorWatch = { isPeer: () => false, refused: () => undefined };

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Connections that were accepted and are open. */
  get connections(): number {
    return this.#connections;
  }

  /** Since the start. */
  get refused(): number {
    return this.#refused;
  }

  watch(watch: DescriptorWatch): void {
    this.#watch = watch;
  }

  /** @returns false: the connection has to be closed; else call `release` when it is */
  take(ip: Uint8Array): boolean {
    if (!this.#mayTake(ip)) {
      this.#refused += 1;
      this.#watch.refused();
      return false;
    }
    this.#connections += 1;
    return true;
  }

  release(): void {
    this.#connections -= 1;
  }

  #mayTake(ip: Uint8Array): boolean {
    if (!Number.isFinite(this.limit)) return true;
    const forAll = this.limit - Math.min(OWN_MAX, Math.floor(this.limit / 2));
    const forStrangers = forAll - Math.floor(forAll / PEERS_PART);
    if (this.#connections < forStrangers) return true;
    // An operator on this machine has to get through, too.
    return this.#connections < forAll && (isLoopback(ip) || this.#watch.isPeer(ip));
  }
}

/** Of this process. */
export const descriptors = new Descriptors(readLimit());

/** Infinity where it cannot be known. */
function readLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
