/**
 * Says when a certificate of this agent, or a CA's that it trusts, comes near its end: a month
 * before, a week and a day, and when it is over. Of one that lives shorter, the last third, sixth
 * and twelfth of its life count instead.
 *
 * @module
 */
import type { Clock, Log } from "../host/host.ts";
import type { CertificateInfo } from "../tls/certificate.ts";
import type { TlsMaterial } from "../tls/material.ts";

const DAY_MS = 86_400_000;
/** The clock may jump: it is looked at again at least so often. */
const LOOK_MS = 3_600_000;
const LOOK_MS_MIN = 1000;

/** How near the end is: 0, not near; 3, a day; 4, it is over. */
const STEPS = [
  { days: 30, part: 1 / 3 },
  { days: 7, part: 1 / 6 },
  { days: 1, part: 1 / 12 },
  { days: 0, part: 0 },
];

interface CertificateWatchInit {
  readonly material: () => TlsMaterial | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly said: (
    type: "CertificateExpiring" | "CertificateExpired",
    info: CertificateInfo,
  ) => void;
}

export class CertificateWatch {
  readonly #init: CertificateWatchInit;
  /** Of each certificate, by its fingerprint, what was said last. */
  #said = new Map<string, number>();
  #cancel: (() => void) | undefined;

  constructor(init: CertificateWatchInit) {
    this.#init = init;
  }

  /** Also after a reload: what is new is judged at once. */
  look(): void {
    this.#cancel?.();
    const { material, clock } = this.#init;
    const now = clock.wallMs();
    const current = material();
    const all = current === undefined ? [] : [current.certificate, ...current.authorities];
    const levels = all.map((one) => [one.fingerprint, levelOf(one, now)] as const);
    for (const one of all) this.#judge(one, now);
    // One that is in use no more, and comes back, is spoken of again.
    this.#said = new Map(levels);
    const soonest = Math.min(LOOK_MS, ...all.map((one) => untilNextMs(one, now)));
    this.#cancel = clock.schedule(clock.now() + Math.max(soonest, LOOK_MS_MIN), () => this.look());
  }

  stop(): void {
    this.#cancel?.();
  }

  #judge(info: CertificateInfo, nowMs: number): void {
    const level = levelOf(info, nowMs);
    if (level <= (this.#said.get(info.fingerprint) ?? 0)) return;
    const { log, said } = this.#init;
    const isOver = level === STEPS.length;
    const fields = {
      subject: info.subject,
      fingerprint: info.fingerprint,
      until: new Date(info.notAfterMs).toISOString(),
      next: "renew it, then `nomad operator tls reload` or SIGHUP",
    };
    log.warn(isOver ? "a certificate has expired" : "a certificate ends soon", fields);
    said(isOver ? "CertificateExpired" : "CertificateExpiring", info);
  }
}

/** When each step begins, before the end. */
function stepsMs({ notBeforeMs, notAfterMs }: CertificateInfo): readonly number[] {
  const lifeMs = notAfterMs - notBeforeMs;
  return STEPS.map(({ days, part }) => Math.min(days * DAY_MS, lifeMs * part));
}

function levelOf(info: CertificateInfo, nowMs: number): number {
  return stepsMs(info).filter((ms) => nowMs >= info.notAfterMs - ms).length;
}

function untilNextMs(info: CertificateInfo, nowMs: number): number {
  const left = stepsMs(info).map((ms) => info.notAfterMs - ms - nowMs);
  return Math.min(...left.filter((ms) => ms > 0));
}
