/**
 * The ACL methods that are about tokens (wire/rpc-and-raft.md §5.4). Their secrets are in no list
 * and no log; whoever may have one gets it with the token itself.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { isSameSecret } from "../../host/digest.ts";
import {
  type AclToken,
  aclToken,
  aclTokenStub,
  MANAGEMENT_TOKEN,
  tokenBootstrapRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../../state/acl/acl.ts";
import { decodeValue, encodeValue, structOf, timeOf } from "../../wire/codec.ts";
import {
  resolveTokenRequest,
  tokenListRequest,
  tokenRequest,
  tokenSetRequest,
} from "../../wire/rpc-acl.ts";
import { indexReply } from "../../wire/rpc-node.ts";
import type { QueryOptions } from "../../wire/rpc-status.ts";
import {
  singleTokenReply,
  tokenListReply,
  tokenSetReply,
  tokenUpsertReply,
  whoAmIReply,
} from "../acl/replies.ts";
import { completed, isUuid, tokenFault, tokenHash } from "../acl/validate.ts";
import { ACL_BYTES_MAX, type AclMethodsInit, coded, commitAcl } from "./acl-tools.ts";
import { denied } from "./method-guard.ts";
import { readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { pageOf } from "./paging.ts";
import { StateReads } from "./state-reads.ts";

type Answer = Uint8Array | Promise<Uint8Array>;
type Signal = AbortSignal | undefined;

const BOOTSTRAPPED = "ACL bootstrap already done";

export class AclTokenMethods {
  readonly #init: AclMethodsInit;
  readonly #reads: StateReads;

  constructor(init: AclMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const { authoritativeRegion } = this.#init;
    const reading = (run: Method["run"]): Method => ({
      ...{ where: "leader", consistent: true, bytesMax: ACL_BYTES_MAX, run },
    });
    const writing = (
      regionOf: (body: Uint8Array) => string | undefined,
      run: (body: Uint8Array) => Answer,
    ): Method => ({
      ...{ where: "leader", consistent: true, bytesMax: ACL_BYTES_MAX, regionOf },
      run: (_options, body) => run(body),
    });
    return new Map<string, Method>([
      [
        "ACL.Bootstrap",
        writing(
          () => authoritativeRegion,
          (body) => this.#bootstrap(body),
        ),
      ],
      [
        "ACL.UpsertTokens",
        writing(
          (body) => this.#regionOfNew(body),
          (body) => this.#upsert(body),
        ),
      ],
      [
        "ACL.DeleteTokens",
        writing(
          (body) => this.#regionOfOld(body),
          (body) => this.#delete(body),
        ),
      ],
      ["ACL.ListTokens", reading((options, body, signal) => this.#list(options, body, signal))],
      ["ACL.GetToken", reading((options, body, signal) => this.#get(options, body, signal))],
      ["ACL.GetTokens", reading((options, body, signal) => this.#getAll(options, body, signal))],
      ["ACL.ResolveToken", reading((_options, body) => this.#resolve(body))],
      ["ACL.WhoAmI", reading((options) => this.#whoAmI(options))],
    ]);
  }

  async #bootstrap(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(tokenBootstrapRequest, body);
    const { machine, clock, log } = this.#init;
    const ResetIndex = this.#resetIndex();
    const secret = request.BootstrapSecret;
    if (secret !== "" && !isUuid(secret)) throw coded(400, "invalid acl token");
    const made = structOf(aclToken, {
      AccessorID: randomUUID(),
      CreateTime: timeOf(clock.wallMs()),
      Global: true,
      Name: "Bootstrap Token",
      SecretID: secret || randomUUID(),
      Type: MANAGEMENT_TOKEN,
    });
    const Token = { ...made, Hash: tokenHash(made) };
    this.#mustBeFree(Token.SecretID);
    const Index = await commitAcl(
      this.#init,
      "tokenBootstrap",
      tokenBootstrapRequest,
      { ...request, BootstrapSecret: "", ResetIndex, Token },
      BOOTSTRAPPED,
    );
    log.info("ACLs are bootstrapped", { accessor: Token.AccessorID });
    const stored = machine.acl.token(Token.AccessorID) ?? Token;
    return encodeValue(tokenUpsertReply, { Index, Tokens: [stored] });
  }

  /** 0: it is the first time. @throws RpcMethodError: it was done, and the file does not open it */
  #resetIndex(): bigint {
    const { machine, resetIndex } = this.#init;
    const done = machine.acl.bootstrapIndex;
    if (done === 0n) return 0n;
    const given = resetIndex();
    if (given === 0n) throw coded(400, `${BOOTSTRAPPED} (reset index: ${done})`);
    if (given === done) return done;
    throw coded(400, `Invalid bootstrap reset index (specified ${given}, reset index: ${done})`);
  }

  /** A secret proves who somebody is: no two may have the same. */
  #mustBeFree(secret: string): void {
    const { acl, nodes } = this.#init.machine;
    const taken =
      [...acl.tokens()].some((one) => isSameSecret(one.SecretID, secret)) ||
      nodes.all().some((one) => isSameSecret(one.SecretID, secret));
    if (taken) throw coded(400, "invalid acl token");
  }

  /** Global ones are made where all regions get them from. */
  #regionOfNew(body: Uint8Array): string | undefined {
    const tokens = decodeValue(tokenUpsertRequest, body)?.Tokens ?? [];
    const isGlobal = tokens.some((one) => one?.Global === true);
    return isGlobal ? this.#init.authoritativeRegion : undefined;
  }

  #regionOfOld(body: Uint8Array): string | undefined {
    const { acl } = this.#init.machine;
    const ids = decodeValue(tokenDeleteRequest, body)?.AccessorIDs ?? [];
    const isGlobal = ids.some((id) => acl.token(id)?.Global === true);
    return isGlobal ? this.#init.authoritativeRegion : undefined;
  }

  async #upsert(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(tokenUpsertRequest, body);
    const given = (request.Tokens ?? []).filter((one) => one !== null);
    if (given.length === 0) throw coded(400, "must specify as least one token");
    if (given.some(({ Global }) => Global) && !given.every(({ Global }) => Global)) {
      throw coded(400, "cannot upsert mixed global and non-global tokens");
    }
    const Tokens = given.map((one, index) => this.#prepared(one, index));
    const Index = await commitAcl(
      this.#init,
      "tokenUpsert",
      tokenUpsertRequest,
      { ...request, Tokens },
      "the tokens cannot be written",
    );
    const { acl } = this.#init.machine;
    const stored = Tokens.map(({ AccessorID }) => acl.token(AccessorID) ?? null);
    return encodeValue(tokenUpsertReply, { Index, Tokens: stored });
  }

  #prepared(given: AclToken, index: number): AclToken {
    const { machine, clock, limits } = this.#init;
    const known = given.AccessorID === "" ? undefined : machine.acl.token(given.AccessorID);
    if (given.AccessorID !== "" && known === undefined) {
      throw coded(400, `cannot find token ${given.AccessorID.slice(0, 64)}`);
    }
    const token = completed(given, known, clock.wallMs());
    const fault = tokenFault(token, known, limits);
    if (fault !== undefined) throw coded(400, `token ${index} invalid: ${fault}`);
    const linked = { ...token, Roles: this.#roleLinks(token) };
    return { ...linked, Hash: tokenHash(linked) };
  }

  /** By id, each once: a role may be called otherwise tomorrow. */
  #roleLinks({ Roles }: AclToken): AclToken["Roles"] {
    const { acl } = this.#init.machine;
    const ids = (Roles ?? []).map((link) => {
      const { ID = "", Name = "" } = link ?? {};
      const found = ID === "" ? acl.roleNamed(Name) : acl.role(ID);
      if (found === undefined) throw coded(400, `cannot find role ${(ID || Name).slice(0, 128)}`);
      return found.ID;
    });
    return ids.length === 0 ? null : [...new Set(ids)].map((ID) => ({ ID, Name: "" }));
  }

  async #delete(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(tokenDeleteRequest, body);
    const ids = request.AccessorIDs ?? [];
    if (ids.length === 0) throw coded(400, "must specify as least one token");
    const { acl } = this.#init.machine;
    const missing = ids.filter((id) => acl.token(id) === undefined);
    if (missing.length > 0) {
      const names = missing.map((id) => id.slice(0, 64)).join(", ");
      throw coded(400, `Cannot delete nonexistent tokens: ${names}`);
    }
    const global = ids.filter((id) => acl.token(id)?.Global === true).length;
    if (global > 0 && global < ids.length) {
      throw coded(400, "cannot delete mixed global and non-global tokens");
    }
    const refusal = "the tokens cannot be deleted";
    const Index = await commitAcl(this.#init, "tokenDelete", tokenDeleteRequest, request, refusal);
    return encodeValue(indexReply, { Index });
  }

  #list(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const { GlobalOnly, ...request } = readRequest(tokenListRequest, body);
    const index = (): number => acl.tokensIndex;
    return this.#reads.whenNewer(options, signal, index, async () => {
      const meta = this.#reads.meta(index());
      const keyOf = (one: AclToken): string => one.AccessorID;
      const all = [...acl.tokens()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      const isWanted = (one: AclToken): boolean => !GlobalOnly || one.Global;
      const turns = this.#reads.turns(signal);
      const { items, next } = await pageOf({ all, keyOf, options: request, isWanted, turns });
      const Tokens = items.map((one) => structOf(aclTokenStub, acl.linked(one)));
      return encodeValue(tokenListReply, { ...meta, NextToken: next, Tokens });
    });
  }

  /** A management token sees all, any other one itself. */
  #get(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { resolver, machine } = this.#init;
    const { AccessorID } = readRequest(tokenRequest, body);
    if (AccessorID === "") throw coded(400, "acl token lookup failed: missing accessor id");
    const { grants, token: own } = resolver.resolve(options.AuthToken);
    const isOwn = own?.SecretID !== "" && own?.AccessorID === AccessorID;
    if (!grants.isManagement && !isOwn) throw denied();
    const { acl } = machine;
    const index = (): number => Number(acl.token(AccessorID)?.ModifyIndex ?? acl.tokensIndex);
    return this.#reads.whenNewer(options, signal, index, () => {
      const Token = acl.token(AccessorID) ?? null;
      return encodeValue(singleTokenReply, { ...this.#reads.meta(index()), Token });
    });
  }

  #getAll(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const ids = readRequest(tokenSetRequest, body).AccessorIDS ?? [];
    const index = (): number => acl.tokensIndex;
    return this.#reads.whenNewer(options, signal, index, () => {
      const found = ids.flatMap((id) => acl.token(id) ?? []);
      const Tokens = new Map(found.map((one) => [one.AccessorID, one]));
      return encodeValue(tokenSetReply, { ...this.#reads.meta(index()), Tokens });
    });
  }

  /** Whoever knows a secret may know whose it is. */
  #resolve(body: Uint8Array): Uint8Array {
    const { resolver, machine } = this.#init;
    const { SecretID } = readRequest(resolveTokenRequest, body);
    const Token = resolver.token(SecretID) ?? null;
    const index = Number(Token?.ModifyIndex ?? machine.acl.tokensIndex);
    return encodeValue(singleTokenReply, { ...this.#reads.meta(index), Token });
  }

  #whoAmI({ AuthToken }: QueryOptions): Uint8Array {
    const { token: ACLToken = null, nodeId = "" } = this.#init.resolver.resolve(AuthToken);
    const meta = this.#reads.meta(Number(ACLToken?.ModifyIndex ?? 0n));
    const Identity = { ACLToken, Claims: NIL, ClientID: nodeId, RemoteIP: null, TLSName: "" };
    return encodeValue(whoAmIReply, { ...meta, Identity });
  }
}

const NIL = Uint8Array.of(0xc0);
