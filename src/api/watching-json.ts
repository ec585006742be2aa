/** The blocks about what is watched and written down, by Go's field names, as Nomad shows them. */
import type { Config } from "../config/config.ts";
import type { JsonObject } from "./json.ts";

export function telemetryAsJson({ telemetry }: Config): JsonObject {
  return {
    CollectionInterval: `${telemetry.collectionIntervalMs}ms`,
    DataDogAddr: telemetry.datadogAddress ?? "",
    DataDogTags: telemetry.datadogTags,
    DisableHostname: telemetry.disableHostname,
    FilterDefault: telemetry.filterDefault,
    InMemoryCollectionInterval: `${telemetry.inMemoryCollectionIntervalMs}ms`,
    PrefixFilter: telemetry.prefixFilter,
    PrometheusMetrics: telemetry.prometheusMetrics,
    PublishAllocationMetrics: false,
    PublishNodeMetrics: telemetry.publishNodeMetrics,
    StatsdAddr: telemetry.statsdAddress ?? "",
    StatsiteAddr: telemetry.statsiteAddress ?? "",
    UseNodeName: telemetry.useNodeName,
  };
}

export function auditAsJson({ audit }: Config): JsonObject {
  const { enabled, sinks, filters } = audit;
  return {
    Enabled: enabled,
    Filters: filters.map(({ type, endpoints, stages, operations }) => {
      return { Type: type, Endpoints: endpoints, Stages: stages, Operations: operations };
    }),
    Sinks: sinks.map(({ path, isEnforced, rotation, mode }) => ({
      DeliveryGuarantee: isEnforced ? "enforced" : "best-effort",
      Format: "json",
      Mode: `0${mode.toString(8)}`,
      Path: path ?? "",
      RotateBytes: rotation.bytesMax,
      RotateDuration: `${rotation.ageMsMax}ms`,
      RotateMaxFiles: rotation.filesMax,
      Type: "file",
    })),
  };
}
