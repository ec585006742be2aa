/** Where the agent is: `-address` or NOMAD_ADDR, in the forms that Nomad's client takes. */
import { CommandError } from "./output.ts";
import type { Setting } from "./setting.ts";

export interface AgentAddress {
  readonly url: URL;
  /** A unix socket that is dialled instead of the URL's host. */
  readonly socketPath: string | undefined;
}

/** @throws CommandError */
export function parseAddress({ value, source }: Setting): AgentAddress {
  const fail = (why: string): never => {
    throw new CommandError(`invalid address '${withoutPassword(value)}' (${source}): ${why}`);
  };
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/is.exec(value.trim()) ?? [];
  switch (scheme.toLowerCase()) {
    case "unix":
      if (rest === "") return fail("the path of a socket is missing, as in unix:///run/nomad.sock");
      return { url: new URL("http://127.0.0.1"), socketPath: rest };
    case "http":
    case "https":
      if (URL.canParse(value)) return { url: new URL(value), socketPath: undefined };
      return fail("this is no URL; it must be like https://127.0.0.1:4646");
    default:
      return fail(
        "it must start with http://, https:// or unix://, for example https://127.0.0.1:4646",
      );
  }
}

/** For people: a URL may carry a password for a proxy. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/@]*@/i, "$1");
}
