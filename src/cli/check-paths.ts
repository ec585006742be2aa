/** Whether what the agent will write has a place: looked at, and nothing is made. */

import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import type { Problem } from "../config/problem.ts";
import { isDirectory, isThere, mustBeWritable } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { SYSLOG_SOCKET } from "../host/syslog.ts";

export function checkPaths(config: Config): readonly Problem[] {
  const { at, dataDir, logFile, syslog, server } = config;
  const problems: Problem[] = [];
  const look = (key: string, wrong: Wrong | undefined): void => {
    if (wrong === undefined) return;
    const { severity, text, help } = wrong;
    problems.push({ severity, message: `${key}: ${text}`, at: at[key], help });
  };
  if (dataDir !== "") look("data_dir", folderToMake(dataDir));
  if (server.enabled && server.dataDir !== undefined) {
    look("server.data_dir", folderToMake(server.dataDir));
  }
  if (logFile !== undefined) look("log_file", fileToOpen(logFile));
  if (syslog !== undefined) look("enable_syslog", socketToSendTo(SYSLOG_SOCKET));
  return problems;
}

interface Wrong {
  readonly severity: Problem["severity"];
  readonly text: string;
  readonly help?: string;
}

/** A folder that is there, or that can be made in the nearest one above it that is. */
function folderToMake(path: string): Wrong | undefined {
  for (let above = path; ; above = dirname(above)) {
    const found = inspect(above);
    if (found === "nothing" && above !== dirname(above)) continue;
    if (typeof found === "object") return error(`cannot use ${path}: ${found.why}`);
    if (found !== "directory") return error(`cannot make ${path}: ${above} is not a directory`);
    return canWrite(above);
  }
}

/** Nomad makes the file, and not the folder that it is in; behind a slash it chooses the name. */
function fileToOpen(path: string): Wrong | undefined {
  if (!path.endsWith("/") && inspect(path) === "directory") {
    const help = "end it with a slash for a file nomad.log in it";
    return { severity: "error", text: `${path} is a directory`, help };
  }
  const folder = path.endsWith("/") ? path : dirname(path);
  const found = inspect(folder);
  if (found === "nothing") {
    const help = "make it first: it is not made for a log file";
    return { severity: "error", text: `the folder ${folder} does not exist`, help };
  }
  if (typeof found === "object") return error(`cannot use ${folder}: ${found.why}`);
  if (found !== "directory") return error(`${folder} is not a directory`);
  return canWrite(folder);
}

function socketToSendTo(path: string): Wrong | undefined {
  if (isThere(path)) return undefined;
  const help = "the log goes without it where it is missing: start a syslog daemon or journald";
  return { severity: "warning", text: `there is no ${path}`, help };
}

function inspect(path: string): "directory" | "file" | "nothing" | { readonly why: string } {
  try {
    return isDirectory(path) ? "directory" : "file";
  } catch (thrown) {
    // A file on the way is found when it is looked at itself.
    const isNothing = ["ENOENT", "ENOTDIR"].includes(codeOf(thrown));
    return isNothing ? "nothing" : { why: describeErrno(thrown) };
  }
}

/** Who validates may be another user than the agent's: that alone is no mistake. */
function canWrite(folder: string): Wrong | undefined {
  try {
    mustBeWritable(folder);
    return undefined;
  } catch (thrown) {
    const text = `cannot write to ${folder}: ${describeErrno(thrown)}`;
    if (codeOf(thrown) !== "EACCES") return error(text);
    const help = "fine if the agent runs as another user, who may";
    return { severity: "warning", text, help };
  }
}

function error(text: string): Wrong {
  return { severity: "error", text };
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}
