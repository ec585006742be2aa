/** What is counted and measured, before anybody's way of naming it. */

export interface Metric {
  /** Nomad's form: dots, the service's name first. */
  readonly name: string;
  readonly kind: "counter" | "gauge";
  /** Of a counter: since the agent was started. */
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a counter that is not added to by one. */
  readonly unit?: "bytes";
}

/** One metric of all, by its name and labels. */
export function keyOf({ name, labels }: Pick<Metric, "name" | "labels">): string {
  return [name, ...Object.entries(labels).map(([key, value]) => `${key}=${value}`)].join(";");
}
