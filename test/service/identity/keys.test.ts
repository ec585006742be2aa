/** What is signed, what is believed, and what is sealed. */
import { describe, expect, test } from "bun:test";
import { openSecret, sealSecret } from "../../../src/secret/envelope.ts";
import { isSignedBy, makeSigningPair, Signer } from "../../../src/secret/signature.ts";
import { isFresh, nodeClaims } from "../../../src/service/identity/claims.ts";
import { node } from "../../../src/state/node.ts";
import { structOf } from "../../../src/wire/codec.ts";
import { readToken, signedToken, signingInput } from "../../../src/wire/jwt.ts";
import { Region } from "./region.ts";

const NODE = structOf(node, {
  ...{ ID: "039c2320-4e04-1ded-db86-5b4b28b29265", NodePool: "default", Datacenter: "dc1" },
  Name: "c1",
});
const HOUR_MS = 3_600_000;

async function signing(): Promise<{ region: Region; server: ReturnType<Region["server"]> }> {
  const region = new Region();
  const server = region.server();
  await server.duties.rotate(0);
  return { region, server };
}

describe("Ed25519", () => {
  test("signs as RFC 8032 has it, section 7.1, test 2", () => {
    const bytes = (text: string): Uint8Array => Uint8Array.fromHex(text);
    const publicKey = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const privateKey = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const signature = new Signer({ publicKey, privateKey }).sign(Uint8Array.of(0x72));
    expect(signature.toHex()).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    expect(isSignedBy(publicKey, Uint8Array.of(0x72), signature)).toBe(true);
    expect(isSignedBy(publicKey, Uint8Array.of(0x73), signature)).toBe(false);
  });

  test("what is no key or no signature proves nothing", () => {
    const { publicKey } = makeSigningPair();
    const message = Uint8Array.of(1);
    for (const length of [0, 63, 64, 65]) {
      expect(isSignedBy(publicKey, message, new Uint8Array(length))).toBe(false);
    }
    for (const length of [0, 31, 32, 33]) {
      expect(isSignedBy(new Uint8Array(length), message, new Uint8Array(64))).toBe(false);
    }
  });
});

describe("sealed", () => {
  const key = new Uint8Array(32).fill(1);
  const nonce = new Uint8Array(24).fill(2);
  const secret = new Uint8Array(32).fill(3);
  const sealed = sealSecret(key, nonce, secret, "for this");

  test("it opens by its key, for what it is for, and unchanged", () => {
    expect(openSecret(key, sealed, "for this")).toEqual(secret);
    expect(openSecret(key, sealed, "for that")).toBeUndefined();
    expect(openSecret(nonce, sealed, "for this")).toBeUndefined();
    expect(openSecret(new Uint8Array(32), sealed, "for this")).toBeUndefined();
    for (const at of sealed.keys()) {
      const changed = sealed.with(at, (sealed[at] ?? 0) ^ 1);
      expect(openSecret(key, changed, "for this")).toBeUndefined();
      expect(openSecret(key, sealed.subarray(0, at), "for this")).toBeUndefined();
    }
  });

  test("the private half is nowhere in the state", async () => {
    const { server } = await signing();
    const [id = ""] = server.keystore.ids();
    const sealingKey = server.keystore.load(id) ?? new Uint8Array(0);
    const stored = server.machine.signingKeys.get(id)?.Sealed ?? new Uint8Array(0);
    const opened = openSecret(sealingKey, stored, `nomad signing key global ${id}`);
    expect(opened?.length).toBe(32);
    const image = Buffer.from(server.machine.snapshot());
    expect(image.includes(opened ?? "")).toBe(false);
    expect(image.includes(sealingKey)).toBe(false);
  });
});

describe("an identity", () => {
  const sign = async (server: ReturnType<Region["server"]>, lifetimeMs = 24 * HOUR_MS) => {
    const claims = (life: Parameters<typeof nodeClaims>[2]) => nodeClaims("global", NODE, life);
    return (await server.keys.sign(claims, lifetimeMs))?.token ?? "";
  };

  test("has Nomad's claims", async () => {
    const { server, region } = await signing();
    const read = readToken(await sign(server));
    const now = Math.floor(region.clock.wallMs() / 1000);
    expect(read?.claims).toEqual({
      ...{ aud: "nomadproject.io", iat: now, nbf: now, exp: now + 86_400 },
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sub: `node:global:default:${NODE.ID}:default`,
      ...{ nomad_node_datacenter: "dc1", nomad_node_id: NODE.ID, nomad_node_pool: "default" },
    });
    expect(read).toMatchObject({ algorithm: "EdDSA", keyId: server.active });
  });

  test("is believed by every server until it is over, also when another key signs by then", async () => {
    const { server, region } = await signing();
    const other = region.server();
    const token = await sign(server);
    expect(other.keys.judge(token)).toMatchObject({ ok: true, keyId: server.active });
    await server.duties.rotate(0);
    expect(other.keys.judge(token)).toMatchObject({ ok: true });
    await region.clock.advance(24 * HOUR_MS - 1);
    expect(other.keys.judge(token)).toMatchObject({ ok: true });
    await region.clock.advance(1);
    expect(other.keys.judge(token)).toMatchObject({ ok: false, why: "expired" });
  });

  test("that is forged in any way is not", async () => {
    const { server, region } = await signing();
    const token = await sign(server);
    const [header = "", claims = "", signature = ""] = token.split(".");
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const { claims: said = {} } = readToken(token) ?? {};
    const whyOf = (text: string): string => {
      const judged = server.keys.judge(text);
      return judged.ok ? "believed" : judged.why;
    };
    expect(whyOf(token)).toBe("believed");
    expect(whyOf(`${header}.${encode({ ...said, exp: 9e12 })}.${signature}`)).toContain(
      "signature",
    );
    const kid = server.active;
    const none = encode({ alg: "none", kid });
    expect(whyOf(`${none}.${claims}.${signature}`)).toBe("of another kind");
    // A key that is public must not become a secret by another algorithm.
    expect(whyOf(`${encode({ alg: "HS256", kid })}.${claims}.${signature}`)).toBe(
      "of another kind",
    );
    expect(whyOf(`${encode({ alg: "EdDSA", kid: "x" })}.${claims}.${signature}`)).toContain(
      "nobody",
    );
    const stranger = makeSigningPair();
    const input = signingInput("EdDSA", kid, said);
    const theirs = new Signer(stranger).sign(new TextEncoder().encode(input));
    expect(whyOf(signedToken(input, theirs))).toContain("signature");
    const elsewhere = await server.keys.sign((life) => {
      return { ...nodeClaims("global", NODE, life), aud: "somebody" };
    }, HOUR_MS);
    expect(whyOf(elsewhere?.token ?? "")).toBe("meant for somebody else");
    const early = await server.keys.sign((life) => {
      return { ...nodeClaims("global", NODE, life), nbf: region.clock.wallMs() / 1000 + 61 };
    }, HOUR_MS);
    expect(whyOf(early?.token ?? "")).toBe("not yet valid");
    const timeless = await server.keys.sign(() => ({ aud: "nomadproject.io" }), HOUR_MS);
    expect(whyOf(timeless?.token ?? "")).toBe("expired");
    expect(whyOf("a.b.c")).toBe("not a token");
  });

  test("lives no longer than its key says", async () => {
    const { server } = await signing();
    const claims = readToken(await sign(server, 30 * 24 * HOUR_MS))?.claims ?? {};
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(86_400);
  });

  test("is fresh for two thirds of its life, and as long as it says what is true", async () => {
    const { server, region } = await signing();
    const { claims = {} } = readToken(await sign(server, 3 * HOUR_MS)) ?? {};
    const start = region.clock.wallMs();
    expect(isFresh(claims, NODE, start)).toBe(true);
    expect(isFresh(claims, NODE, start + 2 * HOUR_MS - 1)).toBe(true);
    expect(isFresh(claims, NODE, start + 2 * HOUR_MS)).toBe(false);
    for (const change of [{ NodePool: "gpu" }, { Datacenter: "dc2" }, { NodeClass: "big" }]) {
      expect(isFresh(claims, { ...NODE, ...change }, start)).toBe(false);
    }
  });

  test("is signed by nobody who cannot open the key", async () => {
    const { region } = await signing();
    expect(await sign(region.server())).toBe("");
    expect(await sign(new Region().server())).toBe("");
  });
});
