/** Figures for people. */

/** Whole days until then; negative when it is over. */
export function daysUntil(when: string, nowMs = Date.now()): number {
  return Math.floor((Date.parse(when) - nowMs) / 86_400_000);
}

export function daysText(days: number): string {
  if (days < 0) return `ended ${-days} ${plural(-days, "day")} ago`;
  return days === 0 ? "ends today" : `${days} ${plural(days, "day")}`;
}

function plural(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}

/** "3 servers". */
export function counted(count: number, word: string): string {
  return `${count.toLocaleString("en")} ${plural(count, word)}`;
}

/** The largest unit only: an age is a glance. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Compared as people read: n2 before n10. */
export const inOrder = new Intl.Collator("en", { numeric: true }).compare;

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, one) => sum + one, 0);
}
