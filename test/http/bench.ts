/** The HTTP API without a socket: an app around an agent that only says what was asked of it. */
import type { ApiContext, GossipView } from "../../src/api/context.ts";
import type { Config } from "../../src/config/config.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { sha256 } from "../../src/host/digest.ts";
import type { Caller, OwnIdentity } from "../../src/http/access.ts";
import { createHttpApp, type HttpApp } from "../../src/http/app.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { EVERYBODY } from "../../src/service/acl/resolver.ts";
import { createGossipCounters } from "../../src/service/gossip/counters.ts";
import { createHandshakeCounters, createRpcCounters } from "../../src/service/rpc/counters.ts";
import { MetricIntervals } from "../../src/service/telemetry/intervals.ts";
import { encodeText } from "../../src/wire/rpc-status.ts";
import { expectDeclared } from "../answers.ts";
import { silent } from "../silent.ts";

export const KEY = makeKey(new Uint8Array(16).fill(5), sha256);
export const KEY_TEXT = isKeyFault(KEY) ? "" : KEY.base64;
export const LOCAL: Caller = { ip: Uint8Array.of(127, 0, 0, 1), names: undefined };
export const REMOTE: Caller = { ip: Uint8Array.of(10, 0, 0, 9), names: undefined };
export const proven = (...names: readonly string[]): Caller => ({
  ip: Uint8Array.of(10, 0, 0, 9),
  names,
});
export const OWN: OwnIdentity = { region: "global", names: ["n1"], secured: false };

interface Bench {
  readonly context: ApiContext;
  readonly app: HttpApp;
  readonly joins: (readonly string[])[];
  readonly leaves: (readonly [string, boolean])[];
  readonly asked: (readonly [string, string])[];
}

export function bench(
  caller: Caller | undefined,
  encrypted = true,
  call?: ApiContext["call"],
): Bench {
  const host = { hostname: "n1", sha256 };
  const { config } = parseConfig([], { devMode: true, files: [], host, problems: [] });
  const joins: (readonly string[])[] = [];
  const leaves: (readonly [string, boolean])[] = [];
  const asked: (readonly [string, string])[] = [];
  const gossip: GossipView = {
    keyring: new Keyring(encrypted && !isKeyFault(KEY) ? [KEY] : []),
    keyringPath: undefined,
    counters: createGossipCounters(),
    stats: () => ({ members: 1, health_score: 0 }),
    roundTripSeconds: () => 0.00123,
    joinState: () => ({ phase: "none", targets: [], attempts: 0, joined: 0, lastErrors: [] }),
    join: async (addresses) => {
      joins.push(addresses);
      return { joined: addresses.length - 1, errors: ["failed to join x: refused"] };
    },
    forceLeave: (node, prune) => void leaves.push([node, prune]),
    askKeys: async (operation, key) => {
      asked.push([operation, key.toHex()]);
      const answer = { result: true, message: "", keys: [KEY_TEXT], primaryKey: KEY_TEXT };
      return { answers: new Map([["n1.global", answer]]), expected: 1, silent: new Set() };
    },
  };
  const context = createContext(config, gossip, call);
  const app = createHttpApp({
    context,
    log: silent,
    callerOf: () => caller,
    own: () => OWN,
  });
  return { context, app, joins, leaves, asked };
}

function createContext(config: Config, gossip: GossipView, call?: ApiContext["call"]): ApiContext {
  const address = { ip: Uint8Array.of(127, 0, 0, 1), port: 4648 };
  const member = {
    name: "n1.global",
    addr: address.ip,
    port: 4648,
    tags: new Map([
      ["role", "nomad"],
      ["region", "global"],
    ]),
    status: "alive",
    versions: Uint8Array.of(1, 5, 2, 2, 5, 4),
  };
  return {
    config,
    endpoints: {
      bind: { http: [address], rpc: address, serf: address },
      advertise: { http: address, rpc: address, serf: address },
    },
    version: { nomad: "2.0.5", agent: "0", revision: "", buildDate: "" },
    nodeId: "id",
    startedAtMs: 1000,
    nowMs: () => 62_000,
    gossip,
    rpc: createRpcCounters(),
    http: createHandshakeCounters(),
    tls: () => undefined,
    peers: () => [],
    sessions: () => [],
    inspect: async () => ({ reachable: false, tls: undefined, acceptsClear: false, error: "no" }),
    reload: async () => ({ changes: [], restart_needed: [] }),
    raft: undefined,
    client: undefined,
    metrics: {
      intervals: new MetricIntervals(10_000, 61_000),
      dropped: new Map(),
      cores: () => [],
      audit: undefined,
    },
    call: call ?? (async () => encodeText("127.0.0.1:4647")),
    streams: { open: async () => Promise.reject(new Error("no streams here")) },
    warnings: [],
    acl: { enabled: false, resolve: () => EVERYBODY },
    members: async () => ({
      serverName: "n1",
      serverRegion: "global",
      serverDc: "dc1",
      members: [member],
    }),
  };
}

export async function ask(
  app: HttpApp,
  method: string,
  path: string,
  headers: Record<string, string> = { host: "127.0.0.1:4646" },
): Promise<{ status: number; body: string; type: string | null }> {
  const response = await app.handle(new Request(`http://localhost${path}`, { method, headers }));
  const type = response.headers.get("content-type");
  const body = await response.text();
  expectDeclared({ method, path, status: response.status, type: type ?? "", body });
  return { status: response.status, body, type };
}
