/** The files that changes are written down in: owner only, and put aside as the log is. */
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { redactText } from "../config/redact.ts";
import { systemClock } from "../host/clock.ts";
import { makeDirectory } from "../host/disk.ts";
import type { Log } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import { LogFile } from "../host/log-file.ts";
import { describeErrno } from "../host/network.ts";
import { AuditLog, type AuditOutput } from "../service/audit/audit-log.ts";

/** @throws Error with one sentence when a file cannot be had */
export function createAuditLog(config: Config, endpoints: Endpoints, log: Log): AuditLog {
  const { sinks, filters } = config.audit;
  const paths = new Set<string>();
  const outputs = sinks.flatMap(({ path: configured, isEnforced, rotation, mode }) => {
    const path = configured ?? defaultPath(config);
    // Two sinks without a path of their own are the same file.
    if (paths.has(path)) return [];
    paths.add(path);
    try {
      makeDirectory(dirname(path));
      const file = new LogFile(path, rotation, () => systemClock.wallMs(), mode);
      return [outputOf(path, isEnforced, file)];
    } catch (error) {
      throw new Error(`cannot open the audit log ${path}: ${describeErrno(error)}`);
    }
  });
  return new AuditLog({
    ...{ outputs, filters, log, redact: redactText },
    node: { ip: formatAddress(endpoints.advertise.http), name: config.name },
    wallMs: () => systemClock.wallMs(),
    newId: () => crypto.randomUUID(),
  });
}

function defaultPath({ dataDir }: Config): string {
  if (dataDir === "") throw new Error("audit: without a data_dir a sink needs a path of its own");
  return join(dataDir, "audit", "audit.log");
}

function outputOf(path: string, isEnforced: boolean, file: LogFile): AuditOutput {
  return {
    ...{ path, isEnforced },
    append: (line) => {
      try {
        file.append(line);
      } catch (error) {
        throw new Error(describeErrno(error));
      }
    },
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
}
