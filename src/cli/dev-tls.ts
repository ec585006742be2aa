/**
 * `agent -dev-tls`: a CA, certificates and a gossip key made on the fly, for trying things out with
 * everything encrypted. Kept in a folder of its own that only this user can read, gone at the end.
 *
 * @module
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { PUBLIC_MODE, SECRET_MODE, writeFileNew } from "../host/disk.ts";
import { makeTemporaryDirectory, remove } from "../host/files.ts";
import { isUnspecified, parseIp } from "../host/ip.ts";
import type { MadeCertificate } from "../tls/make.ts";
import type { FlagValues } from "./flag-block.ts";
import { makeKeyText } from "./keygen.ts";

const DAYS = 90;
const GOSSIP_KEY_BYTES = 32;

export interface DevTls {
  readonly directory: string;
  readonly caFile: string;
  /** What the configuration needs. */
  readonly settings: FlagValues;
  remove(): void;
}

/** @param bind where the agent will listen, if it is not loopback: the certificates name it, too */
export async function makeDevTls(region: string, bind?: string): Promise<DevTls> {
  const { makeAuthority, makeLeaf } = await import("../tls/make.ts");
  const directory = makeTemporaryDirectory(join(tmpdir(), "nomad-dev-"));
  const empty = { country: "", province: "", locality: "", streetAddress: "", postalCode: "" };
  const subject = {
    ...empty,
    commonName: "Nomad Dev CA",
    organization: "",
    organizationalUnit: "",
  };
  const authority = await makeAuthority(subject, DAYS, []);
  const make = (role: "server" | "cli"): Promise<MadeCertificate> =>
    makeLeaf(authority, {
      commonName: `${role}.${region}.nomad`,
      dnsNames: [`${role}.${region}.nomad`, "localhost"],
      ipAddresses: ["127.0.0.1", "::1", ...(isAddress(bind) ? [bind] : [])],
      days: DAYS,
      usages: role === "cli" ? ["client", "server"] : ["server", "client"],
    });
  const path = (name: string): string => join(directory, name);
  // The CA's key is not kept: nothing else will ever be signed with it.
  writeFileNew(path("nomad-agent-ca.pem"), authority.certificate, PUBLIC_MODE);
  for (const role of ["server", "cli"] as const) {
    const made = await make(role);
    writeFileNew(path(`${region}-${role}-nomad.pem`), made.certificate, PUBLIC_MODE);
    writeFileNew(path(`${region}-${role}-nomad-key.pem`), made.key, SECRET_MODE);
  }
  const caFile = path("nomad-agent-ca.pem");
  return {
    directory,
    caFile,
    settings: {
      "server.encrypt": makeKeyText(GOSSIP_KEY_BYTES),
      "tls.http": true,
      "tls.rpc": true,
      "tls.verify_server_hostname": true,
      "tls.ca_file": caFile,
      "tls.cert_file": path(`${region}-server-nomad.pem`),
      "tls.key_file": path(`${region}-server-nomad-key.pem`),
    },
    remove: () => remove(directory),
  };
}

function isAddress(bind: string | undefined): bind is string {
  const ip = bind === undefined ? undefined : parseIp(bind);
  return ip !== undefined && !isUnspecified(ip);
}
