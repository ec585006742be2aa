/** The agent's log in the system's (RFC 3164 §4.1), with the priorities that Nomad gives its levels. */
import type { LogLevel, LogOutput } from "./log.ts";
import { openUnixDatagrams } from "./unix-datagram.ts";

/** Where the system takes log lines. */
export const SYSLOG_SOCKET = "/dev/log";
const LINE_BYTES_MAX = 8 * 1024;

/** In the order of their numbers. */
const FACILITIES = [
  ...["KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON"],
  ...["AUTHPRIV", "FTP", "", "", "", ""],
  ...["LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7"],
];

/** TRACE is syslog's debug, DEBUG its info, INFO its notice; the others are what they say. */
const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  TRACE: 7,
  DEBUG: 6,
  INFO: 5,
  WARN: 4,
  ERROR: 3,
  OFF: 7,
};
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Names of `syslog_facility`. */
export function isFacility(name: string): boolean {
  return name !== "" && FACILITIES.includes(name.toUpperCase());
}

/** @throws Error with one sentence when there is no syslog */
export async function openSyslog(facility: string, socket = SYSLOG_SOCKET): Promise<LogOutput> {
  const datagrams = await openUnixDatagrams(socket);
  const number = FACILITIES.indexOf(facility.toUpperCase());
  return {
    line(level, _text, bare) {
      const priority = number * 8 + SEVERITIES[level];
      const line = `<${priority}>${timestamp(new Date())} nomad[${process.pid}]: ${bare}`;
      datagrams.send(new TextEncoder().encode(line).subarray(0, LINE_BYTES_MAX));
    },
    reopen: () => undefined,
    close: () => datagrams.close(),
  };
}

function timestamp(date: Date): string {
  const day = String(date.getDate()).padStart(2, " ");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${MONTHS[date.getMonth()]} ${day} ${time.map((one) => String(one).padStart(2, "0")).join(":")}`;
}
