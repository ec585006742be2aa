/** How a client's machine does, with Nomad's names and labels: where publish_node_metrics is on. */
import { memoryUsage, mountedDisks, uptimeSeconds } from "../host/usage.ts";
import type { Metric } from "../service/telemetry/metric.ts";
import type { ApiContext } from "./context.ts";

export function hostMetrics({ config, client, metrics }: ApiContext): readonly Metric[] {
  if (client === undefined || !config.telemetry.publishNodeMetrics) return [];
  const labels = {
    node_id: client.id,
    datacenter: config.datacenter,
    node_class: config.client.nodeClass === "" ? "none" : config.client.nodeClass,
    node_pool: config.client.nodePool,
  };
  const gauge = (name: string, value: number, more: Metric["labels"] = {}): Metric => {
    const all = { ...labels, ...more };
    return { name: `nomad.client.${name}`, kind: "gauge", value, labels: all };
  };
  const memory = memoryUsage();
  const cores = metrics
    .cores()
    .flatMap(({ name: cpu, user, system, idle }) => [
      gauge("host.cpu.total", 100 - idle, { cpu }),
      gauge("host.cpu.total_percent", 100 - idle, { cpu }),
      gauge("host.cpu.user", user, { cpu }),
      gauge("host.cpu.system", system, { cpu }),
      gauge("host.cpu.idle", idle, { cpu }),
    ]);
  const disks = mountedDisks().flatMap(({ volume: disk, totalBytes, freeBytes, ...rest }) => {
    const used = Math.max(0, totalBytes - freeBytes);
    return [
      gauge("host.disk.size", totalBytes, { disk }),
      gauge("host.disk.used", used, { disk }),
      gauge("host.disk.available", freeBytes, { disk }),
      gauge("host.disk.used_percent", totalBytes === 0 ? 0 : (100 * used) / totalBytes, { disk }),
      gauge("host.disk.inodes_percent", rest.inodesUsedPercent, { disk }),
    ];
  });
  return [
    gauge("host.memory.total", memory.totalBytes),
    gauge("host.memory.available", memory.availableBytes),
    gauge("host.memory.used", memory.usedBytes),
    gauge("host.memory.free", memory.freeBytes),
    gauge("uptime", uptimeSeconds()),
    ...cores,
    ...disks,
  ];
}
