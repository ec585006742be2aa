/** The `audit` block, in the shape of Nomad Enterprise's: where changes are written down. */
import type { LogRotation } from "../host/log-file.ts";
import type { AuditConfig, AuditFilter, AuditSink } from "./config.ts";
import type { Section } from "./section.ts";

const DAY_MS = 86_400_000;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
const PRIVATE = 0o600;
const TYPES = ["HTTPEvent", "RPCEvent"] as const;
const STAGES = ["OperationReceived", "OperationComplete", "*"];

export function readAudit(top: Section): AuditConfig {
  const section = top.block("audit", { once: true, repeatable: ["sink", "filter"] });
  const enabled = section.ownBool("enabled") ?? false;
  const sinks = labelled(section, "sink", readSink);
  const filters = labelled(section, "filter", readFilter);
  section.finish();
  // As in Nomad, a block without a sink has one with the defaults.
  return { enabled, sinks: sinks.length === 0 ? [DEFAULT_SINK] : sinks, filters };
}

function labelled<Read>(section: Section, key: string, read: (block: Section) => Read): Read[] {
  const all = section.block(key, { once: false });
  return all.names().map((name) => read(all.block(name.toLowerCase())));
}

const DEFAULT_SINK: AuditSink = {
  path: undefined,
  isEnforced: true,
  rotation: { bytesMax: 0, ageMsMax: DAY_MS, filesMax: 0 },
  mode: PRIVATE,
};

function readSink(block: Section): AuditSink {
  block.word("type", ["file"]);
  block.word("format", ["json"]);
  const guarantee = block.word("delivery_guarantee", ["enforced", "best-effort"]) ?? "enforced";
  const sink = {
    path: block.text("path"),
    isEnforced: guarantee === "enforced",
    rotation: readRotation(block),
    mode: readMode(block),
  };
  block.finish();
  return sink;
}

function readRotation(block: Section): LogRotation {
  return {
    bytesMax: block.int("rotate_bytes", 0, COUNT_MAX) ?? 0,
    ageMsMax: Math.max(0, block.durationMs("rotate_duration") ?? 0) || DAY_MS,
    filesMax: block.int("rotate_max_files", 0, COUNT_MAX) ?? 0,
  };
}

/** As chmod takes it. */
function readMode(block: Section): number {
  const text = block.text("mode");
  if (text === undefined) return PRIVATE;
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  block.mistake("mode", "must be permissions in octal digits: 0600, say");
  return PRIVATE;
}

/** What it fits is not written down. */
function readFilter(block: Section): AuditFilter {
  const stages = block.texts("stages") ?? [];
  for (const stage of stages) {
    if (!STAGES.includes(stage)) block.mistake("stages", `must be of ${STAGES.join(", ")}`);
  }
  const filter = {
    type: block.word("type", TYPES) ?? "HTTPEvent",
    endpoints: block.texts("endpoints") ?? [],
    stages,
    operations: (block.texts("operations") ?? []).map((one) => one.toUpperCase()),
  };
  block.finish();
  return filter;
}
