/** What this build is; the names are replaced when the binary is compiled. */
declare const AGENT_VERSION: string | undefined;
declare const AGENT_REVISION: string | undefined;
declare const AGENT_BUILD_DATE: string | undefined;

/** The release of Nomad that we speak like: peers switch features by it. */
export const NOMAD_VERSION = "2.0.5";

export const VERSION = {
  nomad: NOMAD_VERSION,
  agent: typeof AGENT_VERSION === "string" ? AGENT_VERSION : "0.0.0-dev",
  revision: typeof AGENT_REVISION === "string" ? AGENT_REVISION : "",
  buildDate: typeof AGENT_BUILD_DATE === "string" ? AGENT_BUILD_DATE : "",
} as const;
