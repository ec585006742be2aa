/** Namespaces and searching, as Nomad's own types have them. */
import { describe, expect, test } from "bun:test";
import { createPrng } from "../../../src/protocol/prng.ts";
import { methodNeed } from "../../../src/service/methods/method-needs.ts";
import type { Method } from "../../../src/service/methods/methods.ts";
import { NamespaceMethods } from "../../../src/service/methods/namespace-methods.ts";
import { SearchMethods } from "../../../src/service/methods/search-methods.ts";
import type { Grants } from "../../../src/state/acl/need.ts";
import { restoreCommand } from "../../../src/state/command.ts";
import { countRecords, formatOfImage } from "../../../src/state/image.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { decodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import type { Json } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import { ManualClock } from "../manual-clock.ts";
import { Server } from "./node-server.ts";

const STATS = {
  ...{ term: 1, lastIndex: 1, lastTerm: 1, commitIndex: 1, appliedIndex: 1, pending: 0 },
  ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
};

/** Whoever may read nodes, the pool `gpu`, and do one thing in the namespace `prod`. */
const SOME: Grants = {
  isManagement: false,
  level: (area) => (area === "node" ? "read" : ""),
  nodePool: (name, capability) => name === "gpu" && capability === "read",
  namespace: (name, capability) => name === "prod" && capability === "submit-job",
};

const SEARCH = { fuzzyEnabled: true, limitResults: 100, minTermLength: 2 };

function asking(machine: StateMachine, grants?: Grants, search = SEARCH) {
  const consensus = {
    leader: { id: "a", address: "" },
    stats: () => STATS,
    apply: async (data: Uint8Array) => {
      const index = machine.index + 1;
      return { index, outcome: machine.apply(index, data) };
    },
  };
  const guard = grants && { guard: { grants: () => grants } };
  const init = { consensus, machine, clock: new ManualClock(), prng: createPrng(1), ...guard };
  const methods = new Map<string, Method>([
    ...new NamespaceMethods(init).methods(),
    ...new SearchMethods({ ...init, search }).methods(),
  ]);
  /** With a request and an answer of Nomad's types. */
  return async (name: string, types: [string, string], fields: object): Promise<Json> => {
    const request = goCodec(`structs.${types[0]}`);
    const body = encodeValue(request, structOf(request, fields));
    const options = decodeQueryOptions(body);
    const method = methods.get(name);
    if (options === undefined || method === undefined) throw new Error("cannot be called");
    return decodeValue(goCodec(`structs.${types[1]}`), await method.run(options, body));
  };
}

const LIST: [string, string] = ["NamespaceListRequest", "NamespaceListResponse"];
const GET: [string, string] = ["NamespaceSpecificRequest", "SingleNamespaceResponse"];
const SET: [string, string] = ["NamespaceSetRequest", "NamespaceSetResponse"];
const UPSERT: [string, string] = ["NamespaceUpsertRequest", "GenericResponse"];
const DELETE: [string, string] = ["NamespaceDeleteRequest", "GenericResponse"];

const namesOf = (reply: Json): string[] => reply.Namespaces.map((one: Json) => one.Name);

function spaces(machine = new StateMachine(), grants?: Grants) {
  const ask = asking(machine, grants);
  const go = goCodec("structs.Namespace");
  return {
    machine,
    ask,
    list: (fields: object = {}) => ask("Namespace.ListNamespaces", LIST, fields),
    get: (Name: string) => ask("Namespace.GetNamespace", GET, { Name }),
    upsert: (...all: object[]) => {
      const Namespaces = all.map((one) => structOf(go, one));
      return ask("Namespace.UpsertNamespaces", UPSERT, { Namespaces, AuthToken: "a token" });
    },
    remove: (...Namespaces: string[]) =>
      ask("Namespace.DeleteNamespaces", DELETE, { Namespaces, AuthToken: "a token" }),
  };
}

describe("namespaces", () => {
  test("one is always there; others are made, changed, read and deleted", async () => {
    const { list, get, upsert, remove, ask } = spaces();
    const first = (await list()).Namespaces;
    expect(first).toMatchObject([
      { Name: "default", Description: "Default shared namespace", CreateIndex: 1n },
    ]);
    const Capabilities = { EnabledTaskDrivers: ["exec"], DisabledTaskDrivers: null };
    const more = { DisabledNetworkModes: null, EnabledNetworkModes: null };
    const NodePoolConfiguration = { Default: "red", Allowed: ["red"], Denied: null };
    const prod = { Name: "prod", Meta: new Map([["owner", "me"]]), NodePoolConfiguration };
    const made = await upsert({ ...prod, Capabilities: { ...Capabilities, ...more } });
    expect(made.Index).toBe(1n);
    expect((await get("prod")).Namespace).toMatchObject({
      ...prod,
      ...{ Capabilities, CreateIndex: 1n, ModifyIndex: 1n },
    });
    await upsert({ Name: "prod", Description: "live" }, { Name: "test" });
    expect((await get("prod")).Namespace).toMatchObject({
      ...{ Description: "live", CreateIndex: 1n, ModifyIndex: 2n, Meta: null },
    });
    expect(namesOf(await list())).toEqual(["default", "prod", "test"]);
    expect(namesOf(await list({ Prefix: "te" }))).toEqual(["test"]);
    expect(namesOf(await list({ Filter: 'Description == "live"' }))).toEqual(["prod"]);
    expect(await list({ PerPage: 1n })).toMatchObject({ NextToken: "prod", Index: 2n });
    const some = await ask("Namespace.GetNamespaces", SET, { Namespaces: ["test", "gone"] });
    expect([...some.Namespaces.keys()]).toEqual(["test"]);
    await remove("test", "prod");
    expect(namesOf(await list())).toEqual(["default"]);
    expect(await get("prod")).toMatchObject({ Namespace: null, Index: 3n });
  });

  test("what cannot be, with Nomad's texts; nothing changes", async () => {
    const { list, upsert, remove } = spaces();
    const wrong: [Promise<Json>, string][] = [
      [upsert(), "must specify at least one namespace"],
      [
        upsert({ Name: "good" }, { Name: "a b" }),
        'Invalid namespace "a b": invalid name "a b". Must match regex ^[a-zA-Z0-9-]{1,128}$',
      ],
      [
        upsert({ Name: "a", Description: "x".repeat(257) }),
        'Invalid namespace "a": description longer than 256',
      ],
      [
        upsert({ Name: "a", Meta: new Map([["k", "x".repeat(20_000)]]) }),
        'Invalid namespace "a": metadata longer than 16384 bytes',
      ],
      [remove(), "must specify at least one namespace to delete"],
      [remove("default"), "can not delete default namespace"],
      [remove("gone"), 'namespace "gone" not found'],
    ];
    for (const [asked, text] of wrong) {
      expect(await asked.then(String, (error: Error) => error.message)).toBe(text);
    }
    expect(namesOf(await list())).toEqual(["default"]);
  });

  test("of a token: those in which it may do anything", async () => {
    const { machine, upsert } = spaces();
    await upsert({ Name: "prod" }, { Name: "test" });
    const { list, get } = spaces(machine, SOME);
    expect(namesOf(await list())).toEqual(["prod"]);
    expect((await get("prod")).Namespace).toMatchObject({ Name: "prod" });
    expect(get("test")).rejects.toThrow("Permission denied");
    for (const name of ["UpsertNamespaces", "DeleteNamespaces", "GetNamespaces"]) {
      expect(methodNeed(`Namespace.${name}`)).toBe("management");
    }
  });

  test("4096, and no more: they are in every server's state", async () => {
    const { list, upsert } = spaces();
    for (let i = 0; i < 4095; i += 117) {
      await upsert(...Array.from({ length: 117 }, (_, j) => ({ Name: `n${i + j}` })));
    }
    const error = upsert({ Name: "one-more" });
    expect(error).rejects.toThrow("there are at most 4096 namespaces");
    await upsert({ Name: "n7", Description: "known" });
    expect((await list()).Namespaces).toHaveLength(4096);
  });

  test("a snapshot has them, and an archive; one without them is of the first format", async () => {
    const { machine, upsert } = spaces();
    expect(formatOfImage(machine.snapshot())).toBe(1);
    await upsert({ Name: "prod", Description: "live" }, { Name: "default", Description: "ours" });
    const image = machine.snapshot();
    expect(formatOfImage(image)).toBe(2);
    const kept = countRecords(image)?.find(({ name }) => name === "Namespace");
    expect(kept).toMatchObject({ count: 2, kept: true });
    expect(new TextDecoder("latin1").decode(image)).not.toContain("a token");
    const [restored, archived] = [new StateMachine(), new StateMachine()];
    expect(restored.restore(image, 1)).toBe(true);
    expect(archived.apply(9, restoreCommand(image))).toBe("applied");
    for (const one of [restored, archived]) {
      const all = one.namespaces.all().map(({ Name, Description }) => [Name, Description]);
      expect(all).toEqual([
        ["default", "ours"],
        ["prod", "live"],
      ]);
    }
    expect([restored.namespaces.index, archived.namespaces.index]).toEqual([1, 9]);
    expect(restored.snapshot()).toEqual(image);
  });
});

describe("searching", () => {
  const PREFIX: [string, string] = ["SearchRequest", "SearchResponse"];
  const FUZZY: [string, string] = ["FuzzySearchRequest", "FuzzySearchResponse"];
  const id = (i: number): string => `${String(i).padStart(8, "0")}-aaaa-4000-8000-000000000000`;

  async function filled(count = 3, grants?: Grants, search = SEARCH) {
    const server = new Server();
    for (let i = 0; i < count; i++) {
      const pool = i === 0 ? "gpu" : "default";
      await server.register({ ID: id(i), SecretID: "s", Name: `Web-${i}`, NodePool: pool });
    }
    const ask = asking(server.machine, grants, search);
    return {
      prefix: (Prefix: string, Context = "all") =>
        ask("Search.PrefixSearch", PREFIX, { Prefix, Context }),
      fuzzy: (Text: string, Context = "all") => ask("Search.FuzzySearch", FUZZY, { Text, Context }),
    };
  }

  test("by prefix: ids of nodes, names of pools and namespaces; other contexts are empty", async () => {
    const { prefix } = await filled();
    const { Matches, Truncations, Index, KnownLeader } = await prefix("0000000");
    expect(Matches.get("nodes")).toEqual([id(0), id(1), id(2)]);
    expect([...Matches.keys()].sort()).toEqual([...Truncations.keys()].sort());
    expect(Matches.get("jobs")).toEqual([]);
    expect([...Truncations.values()].some(Boolean)).toBe(false);
    expect([Index, KnownLeader]).toEqual([10n, true]);
    expect((await prefix("de")).Matches.get("node_pools")).toEqual(["default"]);
    expect((await prefix("de")).Matches.get("namespaces")).toEqual(["default"]);
    const only = await prefix("g", "node_pools");
    expect([...only.Matches]).toEqual([["node_pools", ["gpu"]]]);
    expect([...(await prefix("x", "allocs")).Matches]).toEqual([["allocs", []]]);
  });

  test("of a token: what it may see, and an error where it may see nothing of a kind", async () => {
    const { prefix, fuzzy } = await filled(2, SOME);
    const { Matches } = await prefix("");
    expect([...Matches.keys()]).toEqual(["nodes", "node_pools", "namespaces"]);
    expect(Matches.get("node_pools")).toEqual(["gpu"]);
    expect(Matches.get("namespaces")).toEqual([]);
    expect([...(await fuzzy("default")).Matches]).toEqual([]);
    expect(prefix("a", "jobs")).rejects.toThrow("Permission denied");
    const blind = await filled(1, { ...SOME, level: () => "" });
    expect(blind.prefix("0", "nodes")).rejects.toThrow("Permission denied");
    expect(blind.fuzzy("web", "nodes")).rejects.toThrow("Permission denied");
  });

  test("twenty by prefix and a hundred by a part of the name: of more it is said", async () => {
    const { prefix, fuzzy } = await filled(120);
    const some = await prefix("00", "nodes");
    expect([some.Matches.get("nodes").length, some.Truncations.get("nodes")]).toEqual([20, true]);
    const all = await fuzzy("web", "nodes");
    expect([all.Matches.get("nodes").length, all.Truncations.get("nodes")]).toEqual([100, true]);
  });

  test("by a part of the name, in any case, the nearest to its beginning first", async () => {
    const { fuzzy } = await filled();
    const { Matches } = await fuzzy("EB-1");
    expect([...Matches]).toEqual([["nodes", [{ ID: "Web-1", Scope: [id(1)] }]]]);
    const pools = (await fuzzy("al")).Matches.get("node_pools");
    expect(pools).toEqual([{ ID: "all", Scope: null }]);
    expect([...(await fuzzy("nothing")).Matches]).toEqual([]);
  });

  test("by a part of the name as far as it is configured", async () => {
    const few = { fuzzyEnabled: true, limitResults: 1, minTermLength: 3 };
    const { fuzzy } = await filled(3, undefined, few);
    const { Matches, Truncations } = await fuzzy("web");
    expect([Matches.get("nodes").length, Truncations.get("nodes")]).toEqual([1, true]);
    expect(fuzzy("we")).rejects.toThrow("must be at least 3 characters, got 2");
    const off = await filled(1, undefined, { ...few, fuzzyEnabled: false });
    expect(off.fuzzy("web")).rejects.toThrow("fuzzy search is not enabled");
  });

  test("what cannot be asked, with Nomad's texts", async () => {
    const { prefix, fuzzy } = await filled();
    const text = (asked: Promise<Json>) => asked.then(String, (error: Error) => error.message);
    expect(await text(fuzzy("a"))).toBe("fuzzy search query must be at least 2 characters, got 1");
    const contexts =
      "allocs jobs nodes node_pools evals deployment plugins volumes host_volumes " +
      "scaling_policy vars namespaces";
    for (const asked of [prefix("a", "cats"), fuzzy("ab", "cats")]) {
      expect(await text(asked)).toBe(
        `context must be one of [${contexts}] or 'all' for all contexts; got "cats"`,
      );
    }
  });
});
