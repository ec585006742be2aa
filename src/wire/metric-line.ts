/**
 * Metrics as lines of text: statsd's, which statsite takes, too, and Datadog's with tags. Names are
 * built and numbers written as go-metrics does it, so that dashboards find what they look for.
 *
 * @module
 */

interface Label {
  readonly name: string;
  readonly value: string;
}

/** One value on its way out. */
export interface MetricPoint {
  /** Between dots, the service's name first. A name of a host is one part, dots and all. */
  readonly parts: readonly string[];
  readonly kind: "counter" | "gauge";
  /** Of a counter: what has been added since the last time. */
  readonly value: number;
  readonly labels: readonly Label[];
}

/** How metrics are named, and which of them go out. */
export interface MetricNaming {
  /** "": neither a label nor a part of names. */
  readonly host: string;
  /** As a label of everything, or else as a part of the names of gauges. */
  readonly hostAsLabel: boolean;
  /** "+prefix" and "-prefix"; of two for the same prefix the one that holds back counts. */
  readonly prefixFilter: readonly string[];
  readonly filterDefault: boolean;
}

/** With the host in its place. @returns undefined where the filter holds it back */
export function namedPoint(point: MetricPoint, naming: MetricNaming): MetricPoint | undefined {
  const { host, hostAsLabel } = naming;
  const [service = "", ...rest] = point.parts;
  const isPart = host !== "" && !hostAsLabel && point.kind === "gauge";
  const parts = isPart ? [service, host, ...rest] : point.parts;
  if (!isLetThrough(parts.join("."), naming)) return undefined;
  const labels =
    host !== "" && hostAsLabel ? [...point.labels, { name: "host", value: host }] : point.labels;
  return { ...point, parts, labels };
}

/** The longest prefix that fits decides. */
function isLetThrough(name: string, { prefixFilter, filterDefault }: MetricNaming): boolean {
  let [longest, isLet] = [-1, filterDefault];
  for (const rule of prefixFilter) {
    const prefix = rule.slice(1);
    if (!name.startsWith(prefix) || prefix.length < longest) continue;
    const isBlocking = rule.startsWith("-");
    isLet = prefix.length === longest ? isLet && !isBlocking : !isBlocking;
    longest = prefix.length;
  }
  return isLet;
}

/** Statsd has no labels: their values are the end of the name. */
export function statsdLine({ parts, kind, value, labels }: MetricPoint): string {
  const name = [...parts, ...labels.map((label) => label.value)].join(".");
  return `${cleaned(name)}:${sixDecimals(value)}|${kind === "counter" ? "c" : "g"}`;
}

/**
 * Labels are tags, behind those of the configuration.
 *
 * @param node whose name is taken out of the name of the metric: Datadog has a tag for it
 */
export function datadogLine(point: MetricPoint, node: string, tags: readonly string[]): string {
  const { kind, value } = point;
  const at = point.parts.indexOf(node);
  const parts = at < 0 ? point.parts : point.parts.toSpliced(at, 1);
  const number = kind === "counter" ? String(Math.trunc(Math.fround(value))) : plain(value);
  const own = point.labels.map(({ name, value: text }) => {
    return text === "" ? cleaned(name) : `${cleaned(name)}:${cleaned(text)}`;
  });
  const all = [...tags, ...own].map((tag) => tag.replaceAll("\n", ""));
  const behind = all.length === 0 ? "" : `|#${all.join(",")}`;
  return `${cleaned(parts.join("."))}:${number}|${kind === "counter" ? "c" : "g"}${behind}`;
}

/** Lines with their ends, as many in one packet as fit; one that is too long goes by itself. */
export function packLines(lines: readonly string[], bytesMax: number): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  const packets: Uint8Array[] = [];
  let pending: Uint8Array[] = [];
  let bytes = 0;
  const close = (): void => {
    if (pending.length > 0) packets.push(joined(pending, bytes));
    [pending, bytes] = [[], 0];
  };
  for (const line of lines) {
    const encoded = encoder.encode(`${line}\n`);
    if (bytes + encoded.length > bytesMax) close();
    pending.push(encoded);
    bytes += encoded.length;
  }
  close();
  return packets;
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** What separates a name from its value, and a line from the next, is in no name. */
function cleaned(text: string): string {
  return text.replaceAll(/[: \n]/g, "_");
}

/** A 32-bit number as Go's %f writes it: what lies in the middle goes to the even neighbour. */
function sixDecimals(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return "0.000000";
  const size = Math.abs(single);
  // From here on a 32-bit number has nothing behind the point.
  if (size >= 2 ** 24) return `${BigInt(single)}.000000`;
  // Exact: 24 bits times 20 bits are 44 of the 53.
  const scaled = size * 1e6;
  const [floor, rest] = [Math.floor(scaled), scaled - Math.floor(scaled)];
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  const digits = String(isUp ? floor + 1 : floor).padStart(7, "0");
  const sign = single < 0 || Object.is(single, -0) ? "-" : "";
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** The shortest digits that are this number, without an exponent. */
function plain(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return "0";
  const [, sign = "", digits = "", exponent] =
    /^(-?)([\d.]+)(?:e([+-]\d+))?$/.exec(String(single)) ?? [];
  if (exponent === undefined) return Object.is(single, -0) ? "-0" : String(single);
  const [whole = "", fraction = ""] = digits.split(".");
  const point = whole.length + Number(exponent);
  const all = whole + fraction;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${all}`;
  return `${sign}${all.padEnd(point, "0")}`;
}
