/** What gossip's tags say about servers, and which of several entries is meant. */
import { expect, test } from "bun:test";
import { Directory } from "../../src/agent/directory.ts";
import type { MemberStatus, SerfMember } from "../../src/protocol/serf/message.ts";

function member(
  name: string,
  last: number,
  status: MemberStatus,
  more: Readonly<Record<string, string>> = {},
): SerfMember {
  const tags = new Map(
    Object.entries({
      role: "nomad",
      impl: "nomad-encrypted",
      region: "global",
      id: name,
      port: "4647",
      dc: "dc1",
      ...more,
    }),
  );
  const where = { name: `${name}.global`, ip: Uint8Array.of(10, 0, 0, last), port: 4648 };
  const versions = new Uint8Array(6);
  return { ...where, tags, status, statusLTime: 1n, versions, goneAt: undefined };
}

function directory(members: readonly SerfMember[]): Directory {
  const self = { name: "a.global", id: "a", region: "global" };
  return new Directory({ members: () => members, self });
}

test("a server that was renamed is the one that lives", () => {
  const old = member("b", 2, "left");
  const renamed = member("new-name", 2, "alive", { id: "b" });
  for (const members of [
    [old, renamed],
    [renamed, old],
  ]) {
    expect(directory(members).byId("b")).toMatchObject({ name: "new-name.global" });
  }
  expect(directory([old]).byId("b")?.status).toBe("left");
});

test("other regions are known, and are none of ours", () => {
  const far = member("far", 9, "alive", { region: "west" });
  const all = directory([member("a", 1, "alive"), member("b", 2, "failed"), far]);
  expect(all.ownRegion().map((one) => one.id)).toEqual(["a", "b"]);
  expect(all.ownAlive().map((one) => one.id)).toEqual(["a"]);
  expect(all.others().map((one) => one.id)).toEqual(["far"]);
  expect(all.regions()).toEqual(["global", "west"]);
  expect(all.byId("far")).toBeUndefined();
  expect(all.named("far")).toBeUndefined();
  expect(all.named("a")).toBe("self");
});

test("clients reach a server where it says, or where gossip sees it", () => {
  const told = member("b", 2, "alive", { rpc_addr: "192.0.2.7" });
  const [address] = directory([told]).ownRegion();
  expect([...(address?.clientAddress.ip ?? [])].slice(-4)).toEqual([192, 0, 2, 7]);
  const [unreadable] = directory([member("b", 2, "alive", { rpc_addr: "no address" })]).ownRegion();
  expect([...(unreadable?.clientAddress.ip ?? [])].slice(-4)).toEqual([10, 0, 0, 2]);
});
