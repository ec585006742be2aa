/**
 * Signing and judging tokens by the keys of the replicated state. Any server judges; who signs has
 * to have what opens the active key.
 *
 * @module
 */
import type { Entropy } from "../../host/host.ts";
import { isSignedBy, makeSigningPair, Signer } from "../../secret/signature.ts";
import type { SigningKey } from "../../state/signing-key.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { type Claims, readToken, signedToken, signingInput } from "../../wire/jwt.ts";
import { isForNomad, type Lifetime, timeFault } from "./claims.ts";
import type { Keystore } from "./keystore.ts";

const ALGORITHM = "EdDSA";

interface IdentityKeysInit {
  readonly region: string;
  readonly machine: Pick<StateMachine, "signingKeys">;
  readonly keystore: Keystore;
  readonly entropy: Entropy;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** What became of a token. */
type Judged =
  | { readonly ok: true; readonly claims: Claims; readonly keyId: string }
  /** Claims are what it says, and proved by nothing; undefined: it cannot be read. */
  | { readonly ok: false; readonly why: string; readonly claims: Claims | undefined };

export interface SignedIdentity {
  readonly token: string;
  readonly keyId: string;
}

/** What a key of the state is, whenever it signs. */
export type FreshKey = Pick<SigningKey, "Algorithm" | "KeyID" | "PublicKey" | "Sealed">;

export class IdentityKeys {
  readonly #init: IdentityKeysInit;
  /** The one that was opened last. */
  #opened: { readonly id: string; readonly signer: Signer } | undefined;

  constructor(init: IdentityKeysInit) {
    this.#init = init;
  }

  get #table(): StateMachine["signingKeys"] {
    return this.#init.machine.signingKeys;
  }

  /** Is there something here that should open it? */
  has(id: string): boolean {
    return this.#init.keystore.load(id) !== undefined;
  }

  /** Can this server sign by it? */
  async opens(key: SigningKey): Promise<boolean> {
    return (await this.#signer(key)) !== undefined;
  }

  /** @returns undefined: there is no key yet, or this server cannot open it */
  async sign(
    claims: (life: Lifetime) => Claims,
    lifetimeMs: number,
  ): Promise<SignedIdentity | undefined> {
    const key = this.#table.active;
    const signer = key === undefined ? undefined : await this.#signer(key);
    if (key === undefined || signer === undefined) return undefined;
    const longestMs = Number(key.LifetimeMax / 1_000_000n);
    const life = {
      ...{ nowMs: this.#init.nowMs(), id: crypto.randomUUID() },
      lifetimeMs: Math.min(lifetimeMs, longestMs),
    };
    const input = signingInput(ALGORITHM, key.KeyID, claims(life));
    const signature = signer.sign(new TextEncoder().encode(input));
    return { token: signedToken(input, signature), keyId: key.KeyID };
  }

  /** Whoever sends it is a stranger. */
  judge(token: string): Judged {
    const read = readToken(token);
    if (read === undefined) return { ok: false, why: "not a token", claims: undefined };
    const { algorithm, keyId, claims, signed, signature } = read;
    const refused = (why: string): Judged => ({ ok: false, why, claims });
    const key = this.#table.get(keyId);
    if (key === undefined) return refused("signed by a key that nobody here has");
    // The key says how it signs; a header that says otherwise is forged.
    if (algorithm !== ALGORITHM || key.Algorithm !== ALGORITHM) return refused("of another kind");
    if (!isSignedBy(key.PublicKey ?? new Uint8Array(0), signed, signature)) {
      return refused("its signature does not hold");
    }
    if (!isForNomad(claims)) return refused("meant for somebody else");
    const fault = timeFault(claims, this.#init.nowMs());
    return fault === undefined ? { ok: true, claims, keyId } : refused(fault);
  }

  /**
   * A new key; what opens it is kept here before anybody hears of it.
   *
   * @throws Error: it cannot be kept
   */
  async create(): Promise<FreshKey> {
    const { entropy, keystore } = this.#init;
    const { sealSecret, SEALING_KEY_BYTES, SEALING_NONCE_BYTES } = await sealing();
    const KeyID = crypto.randomUUID();
    const pair = makeSigningPair();
    const sealingKey = entropy.bytes(SEALING_KEY_BYTES);
    const nonce = entropy.bytes(SEALING_NONCE_BYTES);
    const Sealed = sealSecret(sealingKey, nonce, pair.privateKey, this.#context(KeyID));
    keystore.save(KeyID, sealingKey);
    return { Algorithm: ALGORITHM, KeyID, PublicKey: pair.publicKey, Sealed };
  }

  /** For another server of the region; undefined: it is not here, or nobody signs by it now. */
  sealingKey(id: string): Uint8Array | undefined {
    const { State = "inactive" } = this.#table.get(id) ?? {};
    return State === "inactive" ? undefined : this.#init.keystore.load(id);
  }

  /**
   * What another server says opens the key.
   *
   * @returns false: it does not
   * @throws Error: it cannot be kept
   */
  async learn(key: SigningKey, sealingKey: Uint8Array): Promise<boolean> {
    if ((await this.#open(key, sealingKey)) === undefined) return false;
    // It was replaced while somebody answered.
    if (this.#table.get(key.KeyID)?.State === "inactive") return false;
    this.#init.keystore.save(key.KeyID, sealingKey);
    return true;
  }

  /** Whoever was replaced never signs again: what opens it need not lie about. */
  forgetRetired(): void {
    const { keystore } = this.#init;
    for (const { KeyID, State } of this.#table.all()) {
      if (State === "inactive" && keystore.load(KeyID) !== undefined) keystore.remove(KeyID);
    }
  }

  /** The same, and what opens no key of the state: only where all of the state is there. */
  forgetUnused(): void {
    const { keystore } = this.#init;
    this.forgetRetired();
    for (const id of keystore.ids()) {
      if (this.#table.get(id) === undefined) keystore.remove(id);
    }
  }

  async #signer(key: SigningKey): Promise<Signer | undefined> {
    if (this.#opened?.id === key.KeyID) return this.#opened.signer;
    const sealingKey = this.#init.keystore.load(key.KeyID);
    const signer = sealingKey === undefined ? undefined : await this.#open(key, sealingKey);
    if (signer !== undefined) this.#opened = { id: key.KeyID, signer };
    return signer;
  }

  async #open(key: SigningKey, sealingKey: Uint8Array): Promise<Signer | undefined> {
    const { KeyID, PublicKey, Sealed } = key;
    const { openSecret } = await sealing();
    const context = this.#context(KeyID);
    const privateKey = Sealed === null ? undefined : openSecret(sealingKey, Sealed, context);
    if (privateKey === undefined || PublicKey === null) return undefined;
    try {
      return new Signer({ publicKey: PublicKey, privateKey });
    } catch {
      return undefined;
    }
  }

  /** It opens in its region, and as this key, only. */
  #context(id: string): string {
    return `nomad signing key ${this.#init.region} ${id}`;
  }
}

/** Most servers never make or open one. */
function sealing(): Promise<typeof import("../../secret/envelope.ts")> {
  return import("../../secret/envelope.ts");
}
