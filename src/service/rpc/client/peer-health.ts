/**
 * Can this server reach the others' RPC ports, and how: a Status.Ping to each living member now and
 * then. What it finds is what an operator asks first when gossip is fine and nothing else is.
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import type { Clock, Log } from "../../../host/host.ts";
import { formatAddress } from "../../../host/ip.ts";
import type { Address, Instant } from "../../../protocol/ports.ts";
import type { CertificateInfo } from "../../../tls/certificate.ts";
import { TlsError } from "../../../tls/refusal.ts";
import { encodeQueryOptions } from "../../../wire/rpc-status.ts";
import type { RpcDialer } from "./dial.ts";

const INTERVAL_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** Peers asked at once. */
const PARALLEL_MAX = 8;

export interface RpcPeer {
  readonly name: string;
  readonly region: string;
  readonly address: Address;
}

export interface PeerReport {
  readonly name: string;
  readonly address: string;
  readonly ok: boolean;
  /** "" when ok. */
  readonly error: string;
  /** A TLS refusal's reason, "" for anything else. */
  readonly reason: string;
  readonly rttMs: number | undefined;
  readonly tlsVersion: string | undefined;
  readonly cipher: string | undefined;
  readonly certificate: CertificateInfo | undefined;
  readonly checkedAtMs: number;
}

interface PeerHealthInit {
  readonly dialer: RpcDialer;
  readonly clock: Clock;
  readonly log: Log;
  readonly region: string;
  /** Living servers other than ourselves. */
  readonly peers: () => readonly RpcPeer[];
}

export class PeerHealth {
  readonly #init: PeerHealthInit;
  readonly #reports = new Map<string, PeerReport>();
  readonly #dueAt = new Map<string, Instant>();
  #cancel: (() => void) | undefined;
  #running = false;
  #stopped = false;

  constructor(init: PeerHealthInit) {
    this.#init = init;
  }

  /** Something changed: look at whoever is due. */
  wake(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#round().finally(() => {
      this.#running = false;
      this.#schedule();
    });
  }

  /** Everybody is due: the settings changed. */
  again(): void {
    this.#dueAt.clear();
    this.wake();
  }

  /** By name; only of peers that are still there. */
  reports(): readonly PeerReport[] {
    return [...this.#reports.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #schedule(): void {
    this.#cancel?.();
    if (this.#stopped || this.#init.peers().length === 0) return;
    const { clock } = this.#init;
    const due = this.#init.peers().map((peer) => this.#dueAt.get(peer.name) ?? clock.now());
    this.#cancel = clock.schedule(Math.min(...due), () => this.wake());
  }

  async #round(): Promise<void> {
    const peers = this.#init.peers();
    const now = this.#init.clock.now();
    const names = new Set(peers.map((peer) => peer.name));
    for (const name of this.#reports.keys()) {
      if (names.has(name)) continue;
      this.#reports.delete(name);
      this.#dueAt.delete(name);
    }
    const due = peers.filter((peer) => (this.#dueAt.get(peer.name) ?? 0) <= now);
    for (const peer of due) this.#dueAt.set(peer.name, now + INTERVAL_MS);
    for (let at = 0; at < due.length; at += PARALLEL_MAX) {
      await Promise.all(due.slice(at, at + PARALLEL_MAX).map((peer) => this.#check(peer)));
    }
  }

  async #check(peer: RpcPeer): Promise<void> {
    const { dialer, clock, log, region } = this.#init;
    const startedAt = clock.now();
    const base = {
      name: peer.name,
      address: formatAddress(peer.address),
      checkedAtMs: clock.wallMs(),
    };
    const body = encodeQueryOptions({ Region: region, AllowStale: true });
    try {
      const { address, region: theirs } = peer;
      const { tls } = await dialer.probe(address, theirs, "Status.Ping", body, TIMEOUT_MS);
      const before = this.#reports.get(peer.name);
      this.#reports.set(peer.name, {
        ...base,
        ok: true,
        error: "",
        reason: "",
        rttMs: clock.now() - startedAt,
        tlsVersion: tls?.version,
        cipher: tls?.cipher,
        certificate: tls?.peer,
      });
      if (before?.ok === false) log.info("peer is reachable again", { peer: peer.name });
    } catch (error) {
      const text = errorText(error);
      const reason = error instanceof TlsError ? error.reason : "";
      const before = this.#reports.get(peer.name);
      const none = { rttMs: undefined, tlsVersion: undefined, cipher: undefined };
      const report = { ...base, ...none, ok: false, error: text, reason, certificate: undefined };
      this.#reports.set(peer.name, report);
      if (before?.error === text) return;
      log.warn("cannot reach the RPC port of a server", {
        peer: peer.name,
        address: base.address,
        error: text,
        next: "compare rpc.tls in /v1/status on both sides",
      });
    }
  }
}
