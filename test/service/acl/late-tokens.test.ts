/** Tokens that are newer than a follower's own state. */
import { expect, test } from "bun:test";
import { LateTokens } from "../../../src/service/acl/late-tokens.ts";
import { whoAmIReply } from "../../../src/service/acl/replies.ts";
import { EVERYBODY, type Identity, TOKEN_NOT_FOUND } from "../../../src/service/acl/resolver.ts";
import { RpcMethodError } from "../../../src/service/rpc/method-error.ts";
import { aclToken } from "../../../src/state/acl/acl.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { ManualClock } from "../manual-clock.ts";

const NOTHING = Uint8Array.of(0xc0);

interface Bench {
  readonly late: LateTokens;
  readonly clock: ManualClock;
  readonly asked: string[];
  /** Our state has come so far. */
  readonly apply: (index: number) => void;
}

/** A follower that has applied entry 7; the leader knows a token of entry 9. */
function bench(how: { leads?: boolean; refused?: boolean } = {}): Bench {
  const watchers = new Set<() => void>();
  const machine = {
    index: 7,
    watch: (changed: () => void) => {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
  };
  const asked: string[] = [];
  const clock = new ManualClock();
  const notFound = (): RpcMethodError => new RpcMethodError(TOKEN_NOT_FOUND, false);
  const late = new LateTokens({
    resolver: {
      enabled: true,
      resolve: (): Identity => {
        if (machine.index < 9) throw notFound();
        return EVERYBODY;
      },
    },
    ...{ region: "global", machine, clock },
    isLeader: () => how.leads === true,
    call: async (method) => {
      asked.push(method);
      if (how.refused === true) throw notFound();
      const ACLToken = structOf(aclToken, { ModifyIndex: 9n });
      const identity = { ACLToken, ClientID: "", RemoteIP: null, TLSName: "", Claims: NOTHING };
      return encodeValue(whoAmIReply, structOf(whoAmIReply, { Identity: identity }));
    },
  });
  const apply = (index: number): void => {
    machine.index = index;
    for (const changed of [...watchers]) changed();
  };
  return { late, clock, asked, apply };
}

test("a token that the leader knows is waited for", async () => {
  const { late, asked, apply } = bench();
  const found = Promise.resolve(late.resolve("secret"));
  await Bun.sleep(0);
  expect(asked).toEqual(["ACL.WhoAmI"]);
  apply(8);
  apply(9);
  expect(await found).toBe(EVERYBODY);
  expect(late.resolve("secret")).toBe(EVERYBODY);
  expect(asked).toHaveLength(1);
});

test("what nobody knows is refused, and a leader asks nobody", async () => {
  const refused = bench({ refused: true });
  expect(Promise.resolve(refused.late.resolve("wrong"))).rejects.toThrow(TOKEN_NOT_FOUND);
  const leader = bench({ leads: true });
  expect(() => leader.late.resolve("wrong")).toThrow(TOKEN_NOT_FOUND);
  expect(leader.asked).toEqual([]);
});

test("it is waited for in vain only so long, and wrong tokens in bulk are not all asked for", async () => {
  const { late, clock, asked } = bench();
  const first = Promise.resolve(late.resolve("secret")).catch((error: Error) => error.message);
  for (let i = 0; i < 15; i++) Promise.resolve(late.resolve("secret")).catch(() => undefined);
  expect(() => late.resolve("secret")).toThrow(TOKEN_NOT_FOUND);
  await Bun.sleep(0);
  expect(asked).toHaveLength(16);
  await clock.advance(2000);
  expect(await first).toBe(TOKEN_NOT_FOUND);
});
