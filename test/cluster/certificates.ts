/** Certificates for the tests, made by the binary's own commands. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "./agents.ts";

export interface TestCa {
  readonly directory: string;
  readonly caFile: string;
}

export async function makeCa(parent: string, name: string): Promise<TestCa> {
  const directory = join(parent, name);
  mkdirSync(directory);
  const made = await run(["tls", "ca", "create"], { cwd: directory });
  if (made.code !== 0) throw new Error(made.err);
  return { directory, caFile: join(directory, "nomad-agent-ca.pem") };
}

/** The `tls` block of a server with a certificate for `server.<region>.nomad`. */
export function serverTls(
  ca: TestCa,
  region = "global",
  more: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  return roleTls("server", ca, region, more);
}

/** The `tls` block of a client with a certificate for `client.<region>.nomad`. */
export function clientTls(
  ca: TestCa,
  region = "global",
  more: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  return roleTls("client", ca, region, more);
}

async function roleTls(
  role: "server" | "client",
  ca: TestCa,
  region: string,
  more: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const made = await run(["tls", "cert", "create", `-${role}`, `-region=${region}`], {
    cwd: ca.directory,
  });
  if (made.code !== 0 && !made.err.includes("already exists")) throw new Error(made.err);
  return {
    rpc: true,
    verify_server_hostname: true,
    ca_file: ca.caFile,
    cert_file: join(ca.directory, `${region}-${role}-nomad.pem`),
    key_file: join(ca.directory, `${region}-${role}-nomad-key.pem`),
    ...more,
  };
}
