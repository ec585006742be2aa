/** What the agent prints before its log: Nomad's block, and one line on encryption. */
import type { Config } from "../config/config.ts";
import { describeEndpoints, type Endpoints } from "../config/endpoints.ts";
import { formatAddress } from "../host/ip.ts";
import { cipherName, type GossipKey } from "../secret/key.ts";
import type { Keyring } from "../secret/keyring.ts";
import { daysLeft } from "../tls/certificate.ts";
import type { TlsMaterial } from "../tls/material.ts";
import { VERSION } from "../version.ts";

interface BannerFacts {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly nodeId: string;
  readonly keyring: Keyring | undefined;
  readonly material: TlsMaterial | undefined;
  readonly nowMs: number;
}

const WIDTH = 22;

export function banner(facts: BannerFacts): string {
  const { config, endpoints } = facts;
  const http = endpoints.bind.http.map(formatAddress).join(", ");
  const [first = endpoints.bind.rpc] = endpoints.bind.http;
  const isServer = config.server.enabled;
  const bound = isServer ? describeEndpoints({ ...endpoints.bind, http: first }) : "HTTP: ";
  const advertised = isServer
    ? describeEndpoints(endpoints.advertise)
    : `HTTP: ${formatAddress(endpoints.advertise.http)}`;
  const lines: readonly (readonly [string, string])[] = [
    ["Advertise Addrs", advertised],
    ["Bind Addrs", bound.replace(/^HTTP: [^;]*/, `HTTP: [${http}]`)],
    ["Client", String(config.client.enabled)],
    ["Encryption", encryptionLine(facts)],
    ["Log Level", config.logLevel],
    ["Node Id", facts.nodeId],
    ["Region", `${config.region} (DC: ${config.datacenter})`],
    ["Server", String(config.server.enabled)],
    ["Version", VERSION.nomad],
  ];
  return lines.map(([key, value]) => `${key.padStart(WIDTH)}: ${value}`).join("\n");
}

/** `gossip AES-128-GCM (key 7f3a…), RPC mTLS, HTTP TLS (certificate ends in 364 days)` */
function encryptionLine(facts: BannerFacts): string {
  const { config, keyring, material, nowMs } = facts;
  const { tls } = config;
  const primary = keyring?.primary;
  const parts: string[] = [];
  if (config.server.enabled) {
    parts.push(`gossip ${gossipLine(config, primary)}`);
  }
  const upgrade = tls.rpcUpgradeMode ? " (upgrade mode: plain accepted too)" : "";
  parts.push(tls.rpc ? `RPC mTLS${upgrade}` : "RPC NOT ENCRYPTED");
  const http = tls.verifyHttpsClient ? "HTTP mTLS" : "HTTP TLS";
  const inClear = config.acl.enabled ? " (tokens are sent in the clear)" : "";
  parts.push(tls.http ? http : `HTTP NOT ENCRYPTED${inClear}`);
  if (material === undefined) return parts.join(", ");
  const days = daysLeft(material.certificate, nowMs);
  return `${parts.join(", ")} (certificate ends in ${days} ${days === 1 ? "day" : "days"})`;
}

function gossipLine(config: Config, primary: GossipKey | undefined): string {
  if (primary === undefined) return "NOT ENCRYPTED";
  const { encryptVerifyIncoming, encryptVerifyOutgoing } = config.server;
  const key = `(key ${primary.fingerprint})`;
  if (!encryptVerifyOutgoing) return `NOT ENCRYPTED yet ${key}, encrypt_verify_outgoing is off`;
  const taken = encryptVerifyIncoming ? "" : " (plaintext taken too)";
  return `${cipherName(primary)} ${key}${taken}`;
}
