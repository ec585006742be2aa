/** What passes between the agents, byte by byte: nothing that names a node or carries a tag. */
import { expect, test } from "bun:test";
import { getJson, type Json, Lab, membersSeenBy, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";
import { Wiretap } from "./wiretap.ts";

const NAMES = ["walrus-one", "walrus-two", "walrus-three"];
/** Tags of every server; their keys and some values. */
const TAGS = ["rpc_addr", "raft_vsn", "revision", "dc-of-secrets", "role"];

async function captured(
  subnet: number,
  encryption: { encrypt?: string; tls?: Record<string, unknown> },
  lab: Lab,
): Promise<{ text: string; ids: string[]; udpBytes: number; tcpBytes: number }> {
  await using tap = new Wiretap();
  const ips = NAMES.map((_, i) => `127.0.${subnet}.${i + 1}`);
  for (const [i, ip] of ips.entries()) await tap.tap(`127.0.${subnet + 1}.${i + 1}`, ip);
  for (const [i, name] of NAMES.entries()) {
    await lab.agent({
      name,
      ip: ips[i] ?? "",
      advertise: `127.0.${subnet + 1}.${i + 1}`,
      join: [`127.0.${subnet + 1}.1`],
      ...encryption,
      extra: { datacenter: "dc-of-secrets" },
    });
  }
  const ids: string[] = [];
  for (const ip of ips) {
    await until(`${ip} sees three and has called both others`, async () => {
      const members = Object.values(await membersSeenBy(ip));
      const { rpc, node } = await getJson(ip, "/v1/status");
      const called = rpc.peers.filter((peer: Json) => peer.ok).length === 2;
      if (members.length !== 3 || !called) return false;
      ids.push(node.id);
      return true;
    });
  }
  // Pings with their acks, and the gossip of three nodes: not only the joins.
  await until("packets have passed", () => tap.udpBytes > 2000);
  return { text: tap.text(), ids, udpBytes: tap.udpBytes, tcpBytes: tap.tcpBytes };
}

test("with a gossip key and TLS no name, tag or id is on the wire", async () => {
  await using lab = new Lab();
  const tls = await serverTls(await makeCa(lab.directory, "ca"));
  const encrypt = Buffer.alloc(16, 9).toString("base64");
  const wire = await captured(50, { encrypt, tls }, lab);
  expect(wire.tcpBytes).toBeGreaterThan(5000);
  const words = [...NAMES, ...TAGS, ...wire.ids];
  expect(words.filter((word) => wire.text.includes(word))).toEqual([]);
}, 240_000);

test("control: without them the same capture holds all of it", async () => {
  await using lab = new Lab();
  const wire = await captured(52, {}, lab);
  const words = [...NAMES, ...TAGS, ...wire.ids];
  expect(words.filter((word) => !wire.text.includes(word))).toEqual([]);
}, 240_000);
