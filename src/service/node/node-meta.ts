/**
 * A node's metadata: the configuration's, and what operators have changed since, which outlives a
 * restart. A key of the configuration that was taken out stays out until it is set again.
 *
 * @module
 */
import type { NodeMetaReply } from "../../wire/rpc-client.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

const KEY = /^[^.\0]+(?:\.[^.\0]+)*$/;
/** Of what was changed, keys and values together. */
const CHANGED_CHARACTERS_MAX = 64 * 1024;

export type ChangedMeta = ReadonlyMap<string, string | null>;

interface NodeMetaInit {
  /** The configuration's. */
  readonly configured: Readonly<Record<string, string>>;
  readonly changed: ChangedMeta;
  /** All that was changed, to be kept. @throws Error: then nothing has changed */
  readonly save: (changed: ChangedMeta) => void;
}

export class NodeMeta {
  readonly #init: NodeMetaInit;
  #changed: ChangedMeta;

  constructor(init: NodeMetaInit) {
    this.#init = init;
    this.#changed = init.changed;
  }

  /** As it is in force. */
  get all(): ReadonlyMap<string, string> {
    const merged = new Map<string, string | null>([
      ...Object.entries(this.#init.configured),
      ...this.#changed,
    ]);
    return new Map([...merged].flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
  }

  read(): NodeMetaReply {
    const Static = new Map(Object.entries(this.#init.configured));
    return { Dynamic: this.#changed, Meta: this.all, Static };
  }

  /** @param changes null takes a key out. @throws RpcMethodError */
  apply(changes: ChangedMeta): void {
    if (changes.size === 0) throw new RpcMethodError("missing required Meta object", false);
    const bad = [...changes.keys()].find((key) => !KEY.test(key));
    if (bad !== undefined) {
      throw new RpcMethodError(`invalid metadata key: ${JSON.stringify(bad)}`, false);
    }
    const changed = new Map([...this.#changed, ...changes]);
    const length = [...changed].reduce((sum, [key, value]) => {
      return sum + key.length + (value?.length ?? 0);
    }, 0);
    if (length > CHANGED_CHARACTERS_MAX) {
      throw new RpcMethodError("there would be more than 64 KiB of changed metadata", false);
    }
    this.#init.save(changed);
    this.#changed = changed;
  }
}
