/** Go's durations as text: "30s", "1h30m", "500ms". */

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** @returns milliseconds, or undefined if it is not a duration */
export function parseDurationMs(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text);
  if (text === "0") return 0;
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS_MS[unit ?? ""] ?? 0);
  }
  return text.startsWith("-") ? -total : total;
}

/** As Go prints it: `1h30m0s`, `500ms`. */
export function formatDurationMs(ms: number): string {
  if (ms === 0) return "0s";
  if (Math.abs(ms) < 1000) return `${ms}ms`;
  const sign = ms < 0 ? "-" : "";
  const seconds = Math.abs(ms) / 1000;
  const [h, m] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const s = Number((seconds % 60).toFixed(3));
  if (h > 0) return `${sign}${h}h${m}m${s}s`;
  return m > 0 ? `${sign}${m}m${s}s` : `${sign}${s}s`;
}

/** As Go keeps it: whole nanoseconds, and no more of them than its 64 bits have room for. */
export function nanosOf(ms: number): bigint {
  return BigInt(Math.round(Math.min(Math.max(ms * 1e6, -NANOS_MAX), NANOS_MAX)));
}

/** The last number below 2^63 that is exact. */
const NANOS_MAX = 2 ** 63 - 1024;
