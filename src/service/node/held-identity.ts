/**
 * By what a client node proves who it is: the identity that servers have signed for it, its secret
 * where it has none, and at first what introduces it (wire/rpc-and-raft.md §6.3, §6.4).
 *
 * @module
 */
import { type Claims, readToken } from "../../wire/jwt.ts";
import { expiryMsOf } from "../identity/claims.ts";

interface HeldIdentityInit {
  readonly secret: string;
  /** Of an earlier run; "": none. */
  readonly identity: string;
  /** What lets it in where no server knows it yet; "": nothing. */
  readonly introduction: string;
  /** Durably, for the next run. @throws Error */
  readonly save: (identity: string) => void;
}

export class HeldIdentity {
  readonly #init: HeldIdentityInit;
  #identity: string;
  #introduction: string;
  #wantsAnother = false;

  constructor(init: HeldIdentityInit) {
    this.#init = init;
    this.#identity = init.identity;
    this.#introduction = init.introduction;
  }

  /** For a registration: the secret is in the node itself. */
  get forRegistration(): string {
    return this.#identity || this.#introduction;
  }

  /** For everything else. */
  get token(): string {
    return this.#identity || this.#init.secret;
  }

  /** Shall the next heartbeat ask for another identity? */
  get wantsAnother(): boolean {
    return this.#wantsAnother;
  }

  /** An operator wants it to have another one. */
  renew(): void {
    this.#wantsAnother = true;
  }

  /** What the identity says; undefined: there is none. */
  get claims(): Claims | undefined {
    return readToken(this.#identity)?.claims;
  }

  /** Unix time; undefined: there is none. */
  get expiresAtMs(): number | undefined {
    const { claims } = this;
    return claims && expiryMsOf(claims);
  }

  /**
   * What a server's answer says; null: it stays as it is. "": there is none any more.
   *
   * @throws Error: it cannot be kept for the next run; until then it is there
   */
  told(identity: string | null): void {
    if (identity === null || identity === this.#identity) return;
    this.#identity = identity;
    this.#wantsAnother = false;
    this.#init.save(identity);
  }

  /** It is registered: whoever has been let in needs no introduction. */
  registered(): void {
    this.#introduction = "";
  }

  /** No server takes its registration with this identity. @throws Error as `told` */
  refused(): void {
    this.told("");
  }
}
