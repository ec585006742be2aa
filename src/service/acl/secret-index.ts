/**
 * Finds what a secret belongs to. Whoever guesses learns nothing from how long it takes: what is
 * looked up is a digest, and what is found is compared as a secret is.
 *
 * @module
 */
import { isSameSecret, sha256 } from "../../host/digest.ts";

interface SecretIndexInit<T> {
  readonly all: () => Iterable<T>;
  /** Another number: what there is has changed. */
  readonly revision: () => number;
  readonly idOf: (one: T) => string;
  readonly secretOf: (one: T) => string;
  readonly get: (id: string) => T | undefined;
}

interface Known {
  readonly secret: string;
  readonly digest: string;
}

export class SecretIndex<T> {
  readonly #init: SecretIndexInit<T>;
  #revision: number | undefined;
  /** By id. */
  #known = new Map<string, Known>();
  /** Ids by digest. */
  #ids = new Map<string, string>();

  constructor(init: SecretIndexInit<T>) {
    this.#init = init;
  }

  find(secret: string): T | undefined {
    const { revision, get, secretOf } = this.#init;
    if (secret === "") return undefined;
    if (this.#revision !== revision()) this.#refresh();
    const found = get(this.#ids.get(digestOf(secret)) ?? "");
    return found !== undefined && isSameSecret(secretOf(found), secret) ? found : undefined;
  }

  /** What is known already costs no digest. */
  #refresh(): void {
    const { all, revision, idOf, secretOf } = this.#init;
    const before = this.#known;
    this.#known = new Map();
    this.#ids = new Map();
    for (const one of all()) {
      const [id, secret] = [idOf(one), secretOf(one)];
      const was = before.get(id);
      const known = was?.secret === secret ? was : { secret, digest: digestOf(secret) };
      this.#known.set(id, known);
      this.#ids.set(known.digest, id);
    }
    this.#revision = revision();
  }
}

function digestOf(secret: string): string {
  return sha256(new TextEncoder().encode(secret)).toBase64();
}
