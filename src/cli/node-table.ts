/** Nodes as Nomad lists them. */
import { formatTable } from "./columns.ts";
import { field, textField } from "./json-read.ts";

const SHORT_ID = 8;

export interface NodeTableFlags {
  readonly verbose?: boolean;
  readonly os?: boolean;
  /** How many allocations run on each, by id; undefined: that was not asked for. */
  readonly running?: ReadonlyMap<string, number>;
}

export function nodeTable(nodes: readonly unknown[], flags: NodeTableFlags): string {
  const { verbose = false, os = false, running } = flags;
  const columns: (readonly [string, (one: unknown) => string])[] = [
    ["ID", (one) => shownId(textField(one, "ID"), verbose)],
    ["Node Pool", (one) => textField(one, "NodePool")],
    ["DC", (one) => textField(one, "Datacenter")],
    ["Name", (one) => textField(one, "Name")],
    ["Class", (one) => textField(one, "NodeClass")],
  ];
  if (os) columns.push(["OS", (one) => textField(field(one, "Attributes"), "os.name")]);
  if (verbose) {
    columns.push(["Address", (one) => textField(one, "Address")]);
    columns.push(["Version", (one) => textField(one, "Version")]);
  }
  columns.push(["Drain", (one) => textField(one, "Drain")]);
  columns.push(["Eligibility", (one) => textField(one, "SchedulingEligibility")]);
  columns.push(["Status", (one) => textField(one, "Status")]);
  if (running !== undefined) {
    const countOf = (one: unknown): string => String(running.get(textField(one, "ID")) ?? 0);
    columns.push(["Running Allocs", countOf]);
  }
  const rows = nodes.map((one) => columns.map(([, read]) => read(one)));
  return formatTable([columns.map(([name]) => name), ...rows]);
}

export function shownId(id: string, verbose = false): string {
  return verbose ? id : id.slice(0, SHORT_ID);
}
