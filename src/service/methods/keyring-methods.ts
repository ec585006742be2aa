/**
 * The Keyring methods: which keys sign identities, and another one in their place; and what servers
 * ask each other to be able to sign (wire/rpc-and-raft.md §5.3).
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { command, IGNORABLE, MessageType } from "../../state/command.ts";
import { type SigningKey, signingKeyDeleteRequest } from "../../state/signing-key.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { any, encodeValue, structOf } from "../../wire/codec.ts";
import { nanosOf } from "../../wire/duration.ts";
import { GROUP_SEALING_KEY, sealingKeyReply, sealingKeyRequest } from "../../wire/rpc-group.ts";
import {
  keyringConfigReply,
  keyringDeleteRequest,
  keyringListReply,
  keyringRotateReply,
  keyringRotateRequest,
  publicKeysReply,
  type RootKeyMeta,
} from "../../wire/rpc-keyring.ts";
import { indexReply } from "../../wire/rpc-node.ts";
import type { QueryOptions } from "../../wire/rpc-status.ts";
import type { IdentityKeys } from "../identity/identity-keys.ts";
import type { KeyDuties } from "../identity/key-duties.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { committed, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { StateReads, type StateReadsInit } from "./state-reads.ts";

interface KeyringMethodsInit extends StateReadsInit {
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats">;
  readonly machine: Pick<StateMachine, "nodes" | "signingKeys" | "watch">;
  readonly keys: IdentityKeys;
  readonly duties: Pick<KeyDuties, "rotate">;
  /** The age at which a key is replaced. */
  readonly rotationMs: number;
}

type Answer = Uint8Array | Promise<Uint8Array>;

export class KeyringMethods {
  readonly #init: KeyringMethodsInit;
  readonly #reads: StateReads;

  constructor(init: KeyringMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const reading = (run: Method["run"]): Method => ({ where: "leader", consistent: true, run });
    return new Map<string, Method>([
      ["Keyring.List", reading((options, _body, signal) => this.#list(options, signal))],
      ["Keyring.ListPublic", reading((options, _body, signal) => this.#public(options, signal))],
      ["Keyring.GetConfig", { where: "region", run: () => NO_ISSUER }],
      ["Keyring.Rotate", { where: "leader", run: (_options, body) => this.#rotate(body) }],
      ["Keyring.Delete", { where: "leader", run: (_options, body) => this.#delete(body) }],
      [GROUP_SEALING_KEY, { where: "here", run: (_options, body) => this.#sealingKey(body) }],
    ]);
  }

  #list(options: QueryOptions, signal: AbortSignal | undefined): Answer {
    const { signingKeys } = this.#init.machine;
    return this.#reads.whenNewer(
      options,
      signal,
      () => signingKeys.index,
      () => {
        const Keys = signingKeys.all().map(metaOf);
        const meta = this.#reads.meta(signingKeys.index);
        return encodeValue(keyringListReply, { ...meta, Keys });
      },
    );
  }

  /** Whoever checks a token may know these, and needs no leave. */
  #public(options: QueryOptions, signal: AbortSignal | undefined): Answer {
    const { machine, rotationMs } = this.#init;
    const { signingKeys } = machine;
    return this.#reads.whenNewer(
      options,
      signal,
      () => signingKeys.index,
      () => {
        const PublicKeys = signingKeys.all().map((one) => ({ ...one, Use: "sig" }));
        const meta = this.#reads.meta(signingKeys.index);
        const RotationThreshold = nanosOf(rotationMs);
        return encodeValue(publicKeysReply, { ...meta, PublicKeys, RotationThreshold });
      },
    );
  }

  async #rotate(body: Uint8Array): Promise<Uint8Array> {
    const { Full, PublishTime } = readRequest(keyringRotateRequest, body);
    if (PublishTime !== 0n && Full) {
      throw new RpcMethodError("keyring cannot be prepublished and full rotated at once", false);
    }
    try {
      const key = await this.#init.duties.rotate(Number(PublishTime / 1_000_000n));
      const reply = { Index: key.ModifyIndex, Key: metaOf(key) };
      return encodeValue(keyringRotateReply, reply);
    } catch (error) {
      throw new RpcMethodError(errorText(error), false);
    }
  }

  async #delete(body: Uint8Array): Promise<Uint8Array> {
    const { KeyID, Force } = readRequest(keyringDeleteRequest, body);
    const { machine, consensus } = this.#init;
    const known = machine.signingKeys.get(KeyID);
    if (KeyID === "") throw new RpcMethodError("root key ID is required", false);
    if (known === undefined) throw new RpcMethodError("root key not found", false);
    if (known.State === "active") {
      throw new RpcMethodError("active root key cannot be deleted - call rotate first", false);
    }
    const isUsed = machine.nodes.all().some((one) => one.IdentitySigningKeyID === KeyID);
    if (isUsed && !Force) {
      const why = "root key in use, cannot delete: nodes have identities that it has signed";
      throw new RpcMethodError(why, false);
    }
    const request = structOf(signingKeyDeleteRequest, { KeyIDs: [KeyID] });
    const data = command(
      MessageType.signingKeyDelete | IGNORABLE,
      signingKeyDeleteRequest,
      request,
    );
    const { index } = await committed(consensus.apply(data));
    return encodeValue(indexReply, { Index: BigInt(index) });
  }

  #sealingKey(body: Uint8Array): Uint8Array {
    const { KeyID } = readRequest(sealingKeyRequest, body);
    return encodeValue(sealingKeyReply, { Key: this.#init.keys.sealingKey(KeyID) ?? null });
  }
}

const NO_ISSUER = encodeValue(keyringConfigReply, { OIDCDiscovery: any.zero });

/** Without what is sealed in it. */
function metaOf(key: SigningKey): RootKeyMeta {
  return key;
}
