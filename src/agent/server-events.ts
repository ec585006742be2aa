/**
 * The events of a server: what its state machine announces, and what only it knows of members, keys
 * and certificates, in one broker for whoever subscribes.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { isBug } from "../host/error-text.ts";
import type { ByteStream, Clock, Log } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import type { MemberEventKind } from "../protocol/serf/action.ts";
import { EventBroker } from "../service/methods/event-broker.ts";
import { EventMethod } from "../service/methods/event-method.ts";
import type { MethodGuard } from "../service/methods/method-guard.ts";
import { RefusalLog } from "../service/refusals.ts";
import { mayUse, type Need } from "../state/acl/need.ts";
import type { Change } from "../state/change.ts";
import type { StateMachine } from "../state/state-machine.ts";
import type { CertificateInfo } from "../tls/certificate.ts";
import type { TlsMaterial } from "../tls/material.ts";
import { certificateEvent, keyEvent, memberEvent } from "./agent-events.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import type { KnownServer } from "./directory.ts";
import type { KeyChanged } from "./key-keeper.ts";

interface ServerEventsInit {
  /** What the bearer of a token may do. @throws Error: nobody bears it */
  readonly guard: Pick<MethodGuard, "grants">;
  readonly config: Config;
  /** `<name>.<region>` */
  readonly self: string;
  readonly machine: Pick<StateMachine, "index" | "tell">;
  readonly material: () => TlsMaterial | undefined;
  readonly streamTo: (region: string) => Promise<ByteStream>;
  readonly clock: Clock;
  readonly log: Log;
}

const ACL_TOPICS: readonly string[] = ["ACLToken", "ACLPolicy", "ACLRole"];

export class ServerEvents {
  readonly #init: ServerEventsInit;
  readonly #broker: EventBroker | undefined;
  readonly #watch: CertificateWatch;
  readonly method: EventMethod;
  /** Those in use, by their fingerprints. */
  #certificates: ReadonlySet<string> = new Set();

  constructor(init: ServerEventsInit) {
    this.#init = init;
    const { config, machine, material, streamTo, clock, log } = init;
    const eventsMax = config.server.eventBufferSize;
    if (eventsMax !== undefined) {
      const broker = new EventBroker({ eventsMax, index: () => machine.index });
      this.#broker = broker;
      machine.tell({
        applied: (index, changes) => {
          broker.applied(index, changes);
          if (changes.some(({ topic }) => ACL_TOPICS.includes(topic))) this.method.tokensChanged();
        },
        replaced: () => broker.replaced(),
      });
    }
    const cutOffs = new RefusalLog(clock, log);
    this.method = new EventMethod({
      ...{ region: config.region, broker: this.#broker, clock, streamTo },
      cutOff: (remote) => {
        const from = { remote_addr: formatAddress(remote) };
        cutOffs.note("too-slow", "a reader of events did not keep up: it is cut off", () => from);
      },
      refusal: (token, needs) => {
        return this.#may(token, needs) ? undefined : "Permission denied";
      },
    });
    this.#watch = new CertificateWatch({
      ...{ material, clock, log },
      said: (type, info) => this.#note(certificateEvent(this.#self, type, info, clock.wallMs())),
    });
  }

  start(): void {
    this.#certificates = new Set(this.#current().map((one) => one.fingerprint));
    this.#watch.look();
  }

  stop(): void {
    this.#watch.stop();
    this.#broker?.close();
  }

  member(kind: MemberEventKind, server: KnownServer): void {
    this.#note(memberEvent(kind, server));
  }

  readonly keysChanged: KeyChanged = (...change) => {
    this.#note(keyEvent(this.#self, ...change));
  };

  /** The TLS settings have changed, and perhaps a certificate with them. */
  reloaded(): void {
    const before = this.#certificates;
    const current = this.#current();
    this.#certificates = new Set(current.map((one) => one.fingerprint));
    const now = this.#init.clock.wallMs();
    for (const one of current) {
      if (before.has(one.fingerprint)) continue;
      this.#note(certificateEvent(this.#self, "CertificateReloaded", one, now));
    }
    this.#watch.look();
  }

  #may(token: string, needs: readonly Need[]): boolean {
    try {
      const grants = this.#init.guard.grants(token);
      return needs.every((need) => mayUse(grants, need));
    } catch (error) {
      if (isBug(error)) throw error;
      return false;
    }
  }

  get #self(): string {
    return this.#init.self;
  }

  /** Ours, and those of the CAs that are trusted. */
  #current(): readonly CertificateInfo[] {
    const material = this.#init.material();
    return material === undefined ? [] : [material.certificate, ...material.authorities];
  }

  #note(change: Change): void {
    this.#broker?.note(change);
  }
}
