/**
 * Keys by which the servers of a region sign who a client node is. The public half is in the clear;
 * the private one is sealed, and what opens it is no part of this state.
 *
 * @module
 */
import { int64, list, pointer, raw, struct, text, uint64, type ValueOf } from "../wire/codec.ts";
import { writeFields } from "../wire/rpc-status.ts";

export const signingKey = struct({
  /** As in a token's header: EdDSA. */
  Algorithm: text,
  CreateIndex: uint64,
  /** Unix time in nanoseconds, as all times here. */
  CreateTime: int64,
  /** A UUID: the `kid` of what it signs. */
  KeyID: text,
  /** Nothing that it signs lives longer: so long it is kept after it was replaced. */
  LifetimeMax: int64,
  ModifyIndex: uint64,
  PublicKey: raw,
  /** When a key that is known beforehand takes over; 0: it did at once. */
  PublishTime: int64,
  /** When another took over; 0: not, or nobody has noted it yet. */
  RetiredTime: int64,
  Sealed: raw,
  /** active, prepublished or inactive */
  State: text,
});
export type SigningKey = ValueOf<typeof signingKey>;

/** One that is new, takes over, or is to be kept longer. Now is the leader's clock. */
export const signingKeyUpsertRequest = struct({
  ...writeFields,
  Key: pointer(signingKey),
  Now: int64,
});
export const signingKeyDeleteRequest = struct({ ...writeFields, KeyIDs: list(text) });

/** Whoever makes keys in a loop does not fill the state with them: the oldest goes. */
const KEYS_MAX = 64;

export class SigningKeyTable {
  #keys = new Map<string, SigningKey>();
  /** Of the last change of any key. */
  #index = 1n;

  get index(): number {
    return Number(this.#index);
  }

  get(id: string): SigningKey | undefined {
    return this.#keys.get(id);
  }

  /** The oldest first. */
  all(): readonly SigningKey[] {
    return [...this.#keys.values()].sort(byAge);
  }

  /** The one that signs. */
  get active(): SigningKey | undefined {
    return this.all().findLast((one) => one.State === "active");
  }

  /** @returns false: it says of no key what it must */
  upsert(index: bigint, given: SigningKey, now: bigint): boolean {
    if (given.KeyID === "" || given.PublicKey === null || given.Sealed === null) return false;
    const before = this.#keys.get(given.KeyID);
    if (given.State === "active") this.#retire(index, given.KeyID, now);
    const { CreateIndex, PublicKey, Sealed, CreateTime, Algorithm } = before ?? {
      ...given,
      CreateIndex: index,
    };
    const kept = { CreateIndex, PublicKey, Sealed, CreateTime, Algorithm };
    this.#keys.set(given.KeyID, { ...given, ...kept, ModifyIndex: index });
    for (const { KeyID, State } of this.all()) {
      if (this.#keys.size <= KEYS_MAX) break;
      if (State !== "active" && KeyID !== given.KeyID) this.#keys.delete(KeyID);
    }
    this.#index = index;
    return true;
  }

  /** All but the active one. @returns false: none of them was there */
  delete(index: bigint, ids: readonly string[]): boolean {
    const gone = ids.filter((id) => {
      const known = this.#keys.get(id);
      return known !== undefined && known.State !== "active" && this.#keys.delete(id);
    });
    if (gone.length > 0) this.#index = index;
    return gone.length > 0;
  }

  /** As another server has them. @param limit no record may be newer than this entry */
  replace(keys: Iterable<SigningKey>, index: bigint, limit: bigint): void {
    this.#keys = new Map();
    this.#add(keys, limit);
    // An image of before there were keys has no index of theirs.
    this.#index = index > limit ? limit : index < 1n ? 1n : index;
  }

  /**
   * Those of an archive beside the present ones: what either has signed is still believed, and
   * whoever signs now goes on. Only where nobody does, the archive's active key is the active one.
   */
  merge(keys: Iterable<SigningKey>, index: bigint): void {
    const signs = this.active !== undefined;
    const fresh = [...keys].filter((one) => !this.#keys.has(one.KeyID));
    const quiet = fresh.map((one) => ({ ...one, State: "inactive", ModifyIndex: index }));
    this.#add(signs ? quiet : fresh, index);
    if (fresh.length > 0) this.#index = index;
  }

  #add(keys: Iterable<SigningKey>, limit: bigint): void {
    const capped = (value: bigint): bigint => (value > limit ? limit : value);
    for (const one of keys) {
      const CreateIndex = capped(one.CreateIndex);
      this.#keys.set(one.KeyID, { ...one, CreateIndex, ModifyIndex: capped(one.ModifyIndex) });
    }
  }

  #retire(index: bigint, successor: string, RetiredTime: bigint): void {
    for (const one of this.#keys.values()) {
      if (one.State !== "active" || one.KeyID === successor) continue;
      this.#keys.set(one.KeyID, { ...one, State: "inactive", RetiredTime, ModifyIndex: index });
    }
  }
}

function byAge(one: SigningKey, other: SigningKey): number {
  if (one.CreateIndex === other.CreateIndex) return one.KeyID < other.KeyID ? -1 : 1;
  return one.CreateIndex < other.CreateIndex ? -1 : 1;
}
