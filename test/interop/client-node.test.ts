/** Our client node at a server of the real yamux, net-rpc and crypto/tls, which asks back. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, type Json, Lab, until } from "../cluster/agents.ts";
import { clientTls, makeCa, serverTls } from "../cluster/certificates.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

const [GO, OURS] = [`${NET}.133.1`, `${NET}.133.2`];
const lab = new Lab();
let server: Peer | undefined;
let agent: Agent | undefined;

beforeAll(async () => {
  if (!mustRun) return;
  const ca = await makeCa(lab.directory, "ca");
  const { cert_file, key_file } = await serverTls(ca);
  const tls = [`-ca=${ca.caFile}`, `-cert=${cert_file}`, `-key=${key_file}`];
  server = await Peer.start(buildPeer("rpc-peer"), [`-bind=${GO}:4647`, ...tls]);
  const client = { enabled: true, servers: [GO], meta: { rack: "r1" } };
  const reserved = { cpu: 100, reserved_ports: "22,80" };
  agent = await lab.agent({
    ...{ name: "ours", ip: OURS, tls: await clientTls(ca), server: { enabled: false } },
    extra: { client: { ...client, reserved } },
  });
}, 120_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const heard = (): Promise<Json> => server?.ask("node") ?? Promise.reject();

describe.if(mustRun)("at Go's server", () => {
  test("it registers, is ready, is heard again and again, and polls", async () => {
    const seen = await until("two heartbeats and two polls", async () => {
      const { node, statuses, polls, ...more } = await heard();
      return statuses?.length > 2 && polls?.length > 1
        ? { node, statuses, polls, ...more }
        : undefined;
    });
    expect(new Set(seen.statuses)).toEqual(new Set(["ready"]));
    expect(seen.polls).toEqual([0, 7]);
    expect(seen.proved).toBe(true);
    const { NodeResources: has, ...node } = seen.node;
    expect(node).toMatchObject({
      ...{ Name: "ours", Datacenter: "dc1", NodePool: "default", Meta: { rack: "r1" } },
      ...{ HTTPAddr: `${OURS}:4646`, Status: "initializing" },
      ReservedResources: { Cpu: { CpuShares: 100 }, Networks: { ReservedHostPorts: "22,80" } },
    });
    expect(node.Attributes).toMatchObject({ "nomad.version": "2.0.5", "encryption.rpc": "true" });
    expect(has.Cpu.TotalCpuCores).toBe(navigator.hardwareConcurrency);
    expect(has.Processors.Topology.Cores).toHaveLength(has.Cpu.TotalCpuCores);
    expect(has.Cpu.ReservableCpuCores).toEqual(
      has.Processors.Topology.Cores.map((one: Json) => one.ID),
    );
    expect(has.Memory.MemoryMB).toBeGreaterThan(0);
    expect(has.Networks[0]).toMatchObject({ Mode: "host" });
  }, 30_000);

  test("it answers on streams that the server opens", async () => {
    const stats = await server?.ask("send ClientStats.Stats {}");
    expect(stats.reply.HostStats.Memory.Total).toBeGreaterThan(0);
    expect(stats.reply.HostStats.CPU).toHaveLength(navigator.hardwareConcurrency);
    const applied = await server?.ask('send NodeMeta.Apply {"Meta":{"disk":"ssd","rack":null}}');
    expect(applied.reply).toMatchObject({ Meta: { disk: "ssd" }, Static: { rack: "r1" } });
    await until("it has registered again", async () => (await heard()).node.Meta.disk === "ssd");
    const none = await server?.ask("send Allocations.Restart {}");
    expect(none.error).toContain("rpc: can't find service Allocations.Restart");
  }, 30_000);

  test("it says that it is down when it leaves", async () => {
    agent?.kill("SIGINT");
    expect(await agent?.exited).toBe(0);
    expect((await heard()).statuses.at(-1)).toBe("down");
  }, 20_000);
});
