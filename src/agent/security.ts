/**
 * The `tls` block as it is in force: read by every part at each new connection, and replaced as a
 * whole by a reload.
 *
 * @module
 */
import type { TlsConfig } from "../config/config.ts";
import type { RpcSecurity } from "../service/rpc/client/dial.ts";
import { createIdentity, type TlsIdentity } from "../tls/handshake.ts";
import type { TlsMaterial } from "../tls/material.ts";

export class Security {
  #tls: TlsConfig;
  #identity: TlsIdentity | undefined;

  constructor(tls: TlsConfig, material: TlsMaterial | undefined) {
    this.#tls = tls;
    this.#identity = identityOf(tls, material);
  }

  get tls(): TlsConfig {
    return this.#tls;
  }

  get material(): TlsMaterial | undefined {
    return this.#identity?.material;
  }

  rpc(): RpcSecurity {
    return rpcSecurity(this.#tls, this.#identity);
  }

  http(): { readonly identity: TlsIdentity | undefined; readonly verifyClient: boolean } {
    const { http, verifyHttpsClient } = this.#tls;
    return { identity: http ? this.#identity : undefined, verifyClient: verifyHttpsClient };
  }

  /** What would be in force; nothing is yet. */
  prepare(tls: TlsConfig, material: TlsMaterial | undefined): NextSecurity {
    const identity = identityOf(tls, material);
    const changes = [
      ...settingChanges(this.#tls, tls),
      ...materialChanges(this.material, material),
    ];
    return { tls, identity, rpc: rpcSecurity(tls, identity), changes };
  }

  take({ tls, identity }: NextSecurity): void {
    this.#identity = identity;
    this.#tls = tls;
  }
}

interface NextSecurity {
  readonly tls: TlsConfig;
  readonly identity: TlsIdentity | undefined;
  readonly rpc: RpcSecurity;
  /** What is different, a line each; nothing: the same as before. */
  readonly changes: readonly string[];
}

function rpcSecurity(tls: TlsConfig, identity: TlsIdentity | undefined): RpcSecurity {
  const { rpc, verifyServerHostname, rpcUpgradeMode: upgradeMode } = tls;
  return { identity: rpc ? identity : undefined, verifyServerHostname, upgradeMode };
}

function identityOf(tls: TlsConfig, material: TlsMaterial | undefined): TlsIdentity | undefined {
  if (material === undefined) return undefined;
  return createIdentity(material, tls.minVersion, tls.cipherSuites);
}

const SETTINGS = [
  ["tls.http", (tls: TlsConfig) => tls.http],
  ["tls.rpc", (tls: TlsConfig) => tls.rpc],
  ["tls.rpc_upgrade_mode", (tls: TlsConfig) => tls.rpcUpgradeMode],
  ["tls.verify_server_hostname", (tls: TlsConfig) => tls.verifyServerHostname],
  ["tls.verify_https_client", (tls: TlsConfig) => tls.verifyHttpsClient],
  ["tls.tls_min_version", (tls: TlsConfig) => tls.minVersion],
  ["tls.tls_cipher_suites", (tls: TlsConfig) => tls.cipherSuites.join(",")],
] as const;

function settingChanges(before: TlsConfig, after: TlsConfig): string[] {
  return SETTINGS.flatMap(([name, of]) => {
    const [was, is] = [of(before), of(after)];
    return was === is ? [] : [`${name}: ${was || "unset"} -> ${is || "unset"}`];
  });
}

function materialChanges(
  before: TlsMaterial | undefined,
  after: TlsMaterial | undefined,
): string[] {
  const changes: string[] = [];
  const certificate = after?.certificate;
  if (certificate !== undefined && before?.certificate.fingerprint !== certificate.fingerprint) {
    const until = new Date(certificate.notAfterMs).toISOString();
    changes.push(`certificate: ${certificate.subject}, good until ${until}`);
  }
  const names = (material: TlsMaterial | undefined): string =>
    (material?.authorities ?? []).map((one) => one.fingerprint).join();
  if (after !== undefined && names(before) !== names(after)) {
    changes.push(`authorities: ${after.authorities.map((one) => one.commonName).join(", ")}`);
  }
  return changes;
}
