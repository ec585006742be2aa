/** Who may be a member: servers of our kind in our region, of each node id one; all in others. */
import { expect, test } from "bun:test";
import { createAdmission } from "../../src/agent/admission.ts";
import { Directory } from "../../src/agent/directory.ts";
import type { Candidate } from "../../src/protocol/serf/admission.ts";
import type { MemberStatus, SerfMember } from "../../src/protocol/serf/message.ts";

const SELF = { name: "a.global", id: "id-a", region: "global" };

function candidate(name: string, more: Readonly<Record<string, string>> = {}, last = 9): Candidate {
  const tags = new Map(
    Object.entries({
      ...{ role: "nomad", region: "global", id: `id-${name}`, port: "4647", build: "2.0.5" },
      ...{ impl: "nomad-encrypted", ...more },
    }),
  );
  const ip = Uint8Array.of(10, 0, 0, last);
  return { name: `${name}.${tags.get("region")}`, tags, ip, port: 4648, gone: false };
}

function admission(mixes: boolean, ...known: (readonly [Candidate, MemberStatus])[]) {
  const members = known.map(([one, status]): SerfMember => {
    return { ...one, status, statusLTime: 1n, versions: new Uint8Array(6), goneAt: undefined };
  });
  const directory = new Directory({ members: () => members, self: SELF, mixes });
  return createAdmission({
    self: SELF,
    address: "10.0.0.1:4648",
    directory: () => directory,
    mixes,
  }).refuseMember;
}

test("a server of another kind is welcome in a region of its own only", () => {
  const refuse = admission(false);
  expect(refuse(candidate("b"))).toBeUndefined();
  expect(refuse(candidate("b", { impl: "", region: "west" }))).toBeUndefined();
  const refused = refuse(candidate("b", { impl: "" }));
  expect(refused).toContain("server 'b.global' at 10.0.0.9:4648 is of another kind");
  expect(refused).toContain('the same region "global"');
  expect(refused).toEndWith("give this cluster a region of its own");
  // Somebody remembers one that is gone; and what is said of ourselves is for us to answer.
  expect(refuse({ ...candidate("b", { impl: "" }), gone: true })).toBeUndefined();
  expect(refuse(candidate("a", { impl: "" }))).toBeUndefined();
  expect(admission(true)(candidate("b", { impl: "" }))).toBeUndefined();
  expect(refuse(candidate("b", { role: "consul" }))).toBe("member 'b.global' is not a server");
});

test("of two servers with one node id the newcomer is refused, by itself and by the others", () => {
  const first = candidate("b", {}, 2);
  const copy = candidate("c", { id: "id-b" }, 3);
  const why = admission(false, [first, "alive"])(copy);
  expect(why).toContain("servers 'c.global' at 10.0.0.3:4648 and 'b.global' at 10.0.0.2:4648");
  expect(why).toContain("the same node id id-b");
  expect(admission(false)(candidate("d", { id: "id-a" }))).toContain("node id id-a");
  // Renamed where it was, or gone where it was: the same server.
  expect(admission(false, [first, "alive"])(candidate("c", { id: "id-b" }, 2))).toBeUndefined();
  expect(admission(false, [first, "failed"])(copy)).toBeUndefined();
  expect(admission(false, [first, "alive"])(candidate("b", {}, 7))).toBeUndefined();
  expect(admission(false)(candidate("old-name", { id: "id-a" }, 1))).toBeUndefined();
});
