/** When it is said that a certificate ends: in time, once each step, and again for a new one. */
import { expect, test } from "bun:test";
import { CertificateWatch } from "../../src/agent/certificate-watch.ts";
import type { CertificateInfo } from "../../src/tls/certificate.ts";
import { ManualClock } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function certificate(fingerprint: string, notBeforeMs: number, notAfterMs: number) {
  const info: Partial<CertificateInfo> = { fingerprint, subject: fingerprint, isCa: false };
  return { ...info, notBeforeMs, notAfterMs };
}

type Info = ReturnType<typeof certificate>;

function watched(certificateOf: (nowMs: number) => readonly Info[]) {
  const clock = new ManualClock();
  const said: string[] = [];
  const current = { all: certificateOf(clock.wallMs()) };
  const watch = new CertificateWatch({
    clock,
    log: silent,
    material: () => {
      const [certificate, ...authorities] = current.all;
      return certificate === undefined ? undefined : Object({ certificate, authorities });
    },
    said: (type, { fingerprint }) => {
      said.push(`${fingerprint} ${type} ${clock.now() / HOUR}`);
    },
  });
  watch.look();
  return { clock, said, current, watch };
}

test("a month before, a week, a day, and when it is over", async () => {
  const { clock, said } = watched((now) => [certificate("a", now, now + 365 * DAY)]);
  await clock.advance(400 * DAY);
  expect(said).toEqual([
    `a CertificateExpiring ${335 * 24}`,
    `a CertificateExpiring ${358 * 24}`,
    `a CertificateExpiring ${364 * 24}`,
    `a CertificateExpired ${365 * 24}`,
  ]);
});

test("one of a day: a third of its life before, a sixth, a twelfth", async () => {
  const { clock, said } = watched((now) => [certificate("a", now, now + DAY)]);
  await clock.advance(2 * DAY);
  expect(said).toEqual([
    "a CertificateExpiring 16",
    "a CertificateExpiring 20",
    "a CertificateExpiring 22",
    "a CertificateExpired 24",
  ]);
});

test("at once where it is near already, and no step is said late", () => {
  const { said } = watched((now) => [certificate("a", now - 300 * DAY, now + 2 * DAY)]);
  expect(said).toEqual(["a CertificateExpiring 0"]);
});

test("a CA's, too; after a reload the new one counts", async () => {
  const { clock, said, current, watch } = watched((now) => [
    certificate("own", now, now + 365 * DAY),
    certificate("ca", now, now + 100 * DAY),
  ]);
  await clock.advance(80 * DAY);
  expect(said).toEqual([`ca CertificateExpiring ${70 * 24}`]);
  const now = clock.wallMs();
  current.all = [certificate("new", now, now + 20 * DAY)];
  watch.look();
  await clock.advance(14 * DAY);
  expect(said.slice(1)).toEqual([`new CertificateExpiring ${80 * 24 + (40 / 3) * 24}`]);
  watch.stop();
  expect(clock.timers).toBe(0);
});

test("without TLS there is nothing to say", async () => {
  const { clock, said } = watched(() => []);
  await clock.advance(10 * DAY);
  expect(said).toEqual([]);
});
