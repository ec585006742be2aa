/**
 * Who a client node is: its id, and the secret that proves it, in files of Nomad's names and form,
 * and beside them what servers have signed for it. Whoever has these is this node.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { makeDirectory, readFileIfThere, SECRET_MODE, writeFileAtomic } from "../host/disk.ts";
import { textOf } from "../host/fingerprint.ts";
import { looksLikeToken } from "../wire/jwt.ts";
import { loadNodeId } from "./node-id.ts";

export interface ClientIdentity {
  readonly id: string;
  readonly secret: string;
  /** What servers have signed for it in an earlier run; "": nothing. */
  readonly signed: string;
  /** For the next run. @throws Error */
  readonly saveSigned: (token: string) => void;
  /** What lets it in where no server knows it; "": nothing. */
  readonly introduction: string;
  /** What else it keeps is there; undefined: nowhere, in dev mode. */
  readonly directory: string | undefined;
}

/** An operator may put it there, as for Nomad. */
const INTRODUCTION_FILE = "intro_token.jwt";
const IDENTITY_FILE = "identity.jwt";

/**
 * @param given an introduction by flag or environment; "": none, and the file counts
 * @throws Error with one sentence for the operator
 */
export function loadClientIdentity(config: Config, given = ""): ClientIdentity {
  const { client, dataDir } = config;
  const directory = client.stateDir ?? (dataDir === "" ? undefined : join(dataDir, "client"));
  if (directory !== undefined) makeDirectory(directory);
  const path = (name: string): string | undefined =>
    directory === undefined ? undefined : join(directory, name);
  const fresh = client.noHostUuid ? undefined : idOfMachine();
  return {
    id: loadNodeId(path("client-id"), fresh),
    secret: loadNodeId(path("secret-id")),
    signed: tokenIn(path(IDENTITY_FILE)) ?? "",
    saveSigned: (token) => {
      const file = path(IDENTITY_FILE);
      if (file !== undefined) writeFileAtomic(file, token, SECRET_MODE);
    },
    introduction: introductionOf(given, path(INTRODUCTION_FILE)),
    directory,
  };
}

/** undefined: there is no such file, or none with a token in it, which a server would refuse. */
function tokenIn(path: string | undefined): string | undefined {
  const bytes = path === undefined ? undefined : readFileIfThere(path);
  const text = bytes && new TextDecoder().decode(bytes).trim();
  return text !== undefined && looksLikeToken(text) ? text : undefined;
}

/** @throws Error with one sentence for the operator */
function introductionOf(given: string, path: string | undefined): string {
  const help = "make one with `nomad node intro create`";
  if (given !== "") {
    if (looksLikeToken(given.trim())) return given.trim();
    throw new Error(
      `the introduction token of -client-intro-token or NOMAD_CLIENT_INTRO_TOKEN is no JWT: ${help}`,
    );
  }
  const bytes = path === undefined ? undefined : readFileIfThere(path);
  const found = tokenIn(path);
  if (bytes !== undefined && found === undefined) {
    throw new Error(`${path} holds no JWT: ${help}, or remove it`);
  }
  return found ?? "";
}

/** The same at each start, and not the machine's own id, which others may use for other things. */
function idOfMachine(): string | undefined {
  const found = [
    textOf("/sys/class/dmi/id/product_uuid"),
    textOf("/etc/machine-id").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  ].map((text) => text.trim().toLowerCase());
  const id = found.find((one) => /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(one));
  if (id === undefined) return undefined;
  const hex = createHash("sha512").update(id).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}
