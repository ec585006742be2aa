/** Keys of the log that are not just texts: rotation of its file, and the system's log. */
import type { LogRotation } from "../host/log-file.ts";
import { isFacility } from "../host/syslog.ts";
import type { Section } from "./section.ts";

const DAY_MS = 86_400_000;

/** Nomad puts a file aside once a day, and keeps them all. */
export function readLogRotation(top: Section): LogRotation {
  const most = Number.MAX_SAFE_INTEGER;
  return {
    bytesMax: Math.max(0, top.int("log_rotate_bytes", -most, most) ?? 0),
    ageMsMax: Math.max(0, top.durationMs("log_rotate_duration") ?? 0) || DAY_MS,
    filesMax: Math.max(0, top.int("log_rotate_max_files", -most, most) ?? 0),
  };
}

export function readSyslog(top: Section): string | undefined {
  const facility = top.text("syslog_facility") ?? "LOCAL0";
  if (!isFacility(facility)) {
    const help =
      "one of KERN, USER, MAIL, DAEMON, AUTH, SYSLOG, LPR, NEWS, UUCP, CRON, AUTHPRIV, FTP, LOCAL0 to LOCAL7";
    top.mistake("syslog_facility", "is no facility of syslog", help);
  }
  return top.bool("enable_syslog") === true ? facility : undefined;
}
