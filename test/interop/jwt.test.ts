/** Our identities and key sets beside go-jose, by which Nomad signs and checks its own. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { ApiContext } from "../../src/api/context.ts";
import { publicKeys } from "../../src/api/identities.ts";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import { introductionClaims, nodeClaims } from "../../src/service/identity/claims.ts";
import { KeyringMethods } from "../../src/service/methods/keyring-methods.ts";
import { node } from "../../src/state/node.ts";
import { structOf } from "../../src/wire/codec.ts";
import { readToken } from "../../src/wire/jwt.ts";
import { decodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { Server } from "../service/methods/node-server.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(120_000);

const TOKENS = 300;
const MONTH_MS = 30 * 86_400_000;
let oracle: Peer;

if (mustRun) {
  beforeAll(async () => {
    oracle = await Peer.start(buildPeer("jwt-oracle", ".", "./jwt-oracle"), []);
  });
  afterAll(() => oracle[Symbol.asyncDispose]());
}

const asked = (question: object) => oracle.ask(JSON.stringify(question));

/** What the server publishes, and for how long it may be kept. */
async function published(server: Server): Promise<{ keys: unknown; cache: string }> {
  const { machine, clock, identities } = server;
  const methods = new KeyringMethods({
    ...{ machine, clock, keys: identities.keys, prng: createPrng(1), rotationMs: MONTH_MS },
    duties: { rotate: () => Promise.reject(new Error("not here")) },
    consensus: {
      leader: { id: "a", address: "127.0.0.1:4647" },
      stats: () => ({
        ...{ term: 1, lastIndex: 1, lastTerm: 1, commitIndex: 1, appliedIndex: 1, pending: 0 },
        ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
      }),
      apply: () => Promise.reject(new Error("not here")),
    },
  }).methods();
  const context = {
    config: { region: "global" },
    nowMs: () => clock.wallMs(),
    call: async (name: string, body: Uint8Array) => {
      const options = decodeQueryOptions(body);
      const method = methods.get(name);
      if (options === undefined || method === undefined) throw new Error(`no ${name}`);
      return method.run(options, body);
    },
  };
  const { value, headers } = await publicKeys(partOf(context), {});
  return { keys: value, cache: headers["Cache-Control"] ?? "" };
}

/** Nothing else of it is looked at. */
function partOf(context: object): ApiContext {
  return Object(context);
}

const NAMES = ["c1", "", "größe", "a b", '"\\<&>', "\u2028", "x".repeat(128), "日本", "😀"];

test.skipIf(!mustRun)(
  "go-jose verifies what we sign, by what we publish, and reads the same",
  async () => {
    const server = new Server();
    await server.sign();
    const old = String((await server.register()).SignedIdentity);
    await server.sign();
    const { keys, cache } = await published(server);
    expect(cache).toBe("max-age=86400");
    const now = server.clock.wallMs() / 1000;
    const { claims: own = {} } = readToken(old) ?? {};
    expect(await asked({ keys, token: old, now })).toMatchObject({ Error: "", Claims: own });
    const prng = createPrng(11);
    const any = (): string => NAMES[randomInt(prng, NAMES.length)] ?? "";
    for (let i = 0; i < TOKENS; i++) {
      const one = structOf(node, {
        ...{ ID: crypto.randomUUID(), NodePool: any(), NodeClass: any(), Datacenter: any() },
      });
      const signed = await server.identities.keys.sign((life) => {
        const introduces = randomInt(prng, 2) === 0;
        return introduces
          ? introductionClaims("global", any(), any(), life)
          : nodeClaims("global", one, life);
      }, 60_000);
      const token = signed?.token ?? "";
      const said = await asked({ keys, token, now });
      expect(said).toMatchObject({ Error: "", Claims: readToken(token)?.claims ?? {} });
    }
  },
);

test.skipIf(!mustRun)(
  "it refuses what we refuse: forged, over, of another key, meant for others",
  async () => {
    const server = new Server();
    await server.sign();
    const { keys } = await published(server);
    const now = server.clock.wallMs() / 1000;
    const token = String((await server.register()).SignedIdentity);
    const stranger = new Server();
    await stranger.sign();
    const theirs = String((await stranger.register()).SignedIdentity);
    const other = await server.identities.keys.sign(
      (life) => ({ ...introductionClaims("global", "a", "b", life), aud: "somebody" }),
      60_000,
    );
    const [header = "", claims = "", signature = ""] = token.split(".");
    const cases = [
      [token, now, true],
      [token, now + 86_399, true],
      [token, now + 86_401, false],
      [theirs, now, false],
      [other?.token ?? "", now, false],
      [
        `${header}.${claims}.${signature.replace(/^./, (c) => (c === "A" ? "B" : "A"))}`,
        now,
        false,
      ],
      [
        `${header}.${claims.replace(/.$/, (c) => (c === "A" ? "B" : "A"))}.${signature}`,
        now,
        false,
      ],
      [`${header}.${claims}`, now, false],
      [`${header}.${claims}.${signature}=`, now, false],
    ] as const;
    for (const [text, at, good] of cases) {
      const { Error: fault } = await asked({ keys, token: text, now: at });
      expect(fault === "").toBe(good);
      const wait = Math.max(0, at * 1000 - server.clock.wallMs());
      server.clock.stall(wait);
      expect(server.identities.keys.judge(text).ok).toBe(good);
      server.clock.stall(-wait);
    }
  },
);

test.skipIf(!mustRun)(
  "we believe what it signs by a key of ours, and nothing by another",
  async () => {
    const server = new Server();
    const seed = new Uint8Array(32).fill(5);
    const now = Math.floor(server.clock.wallMs() / 1000);
    const claims = { aud: ["nomadproject.io", "else"], exp: now + 60, nbf: now, sub: "node:a" };
    const asking = { seed: seed.toBase64(), keyId: "goes", claims };
    const { Token: token, Public: shown } = await asked(asking);
    expect(server.identities.keys.judge(token).ok).toBe(false);
    const id = await server.sign();
    const { signingKeys } = server.machine;
    const known = signingKeys.get(id);
    if (known === undefined) throw new Error("no key");
    const PublicKey = Uint8Array.fromBase64(shown);
    signingKeys.upsert(99n, { ...known, KeyID: "goes", PublicKey, State: "inactive" }, 0n);
    const judged = server.identities.keys.judge(token);
    expect(judged).toMatchObject({ ok: true, keyId: "goes" });
    signingKeys.upsert(100n, { ...known, KeyID: "other", PublicKey, State: "inactive" }, 0n);
    const { Token: wrong } = await asked({ ...asking, keyId: id });
    expect(server.identities.keys.judge(wrong).ok).toBe(false);
  },
);
