/** What a node tells of a machine: what is there, what the operator says instead, and nothing made up. */
import { describe, expect, test } from "bun:test";
import { type Fingerprint, fingerprint } from "../../../src/host/fingerprint.ts";
import { nodeRecord } from "../../../src/service/node/record.ts";
import { textIn } from "../../../src/state/node.ts";
import { decodeValue } from "../../../src/wire/codec.ts";
import { hostVolumes, nodeResources, reservedResources } from "../../../src/wire/node-resources.ts";
import { read } from "../../config/read.ts";

const device = (name: string, ...addresses: string[]): Fingerprint["devices"][number] => ({
  name,
  macAddress: "02:fc:00:00:00:01",
  speed: name === "eth1" ? 25_000 : undefined,
  addresses: addresses.map((address) => ({
    address,
    cidr: `${address}/${address.includes(":") ? 128 : 32}`,
    family: address.includes(":") ? ("ipv6" as const) : ("ipv4" as const),
    linkLocal: address.startsWith("fe80"),
  })),
});

const MACHINE: Fingerprint = {
  ...{ hostname: "web1", kernelName: "linux", kernelVersion: "6.1", kernelArch: "x86_64" },
  ...{ osName: "debian", osVersion: "12", cpuModel: "EPYC", memoryBytes: 8 * 2 ** 30 },
  cores: [0, 1, 2, 3].map((id) => ({ id, mhz: 2500, numaNode: id >> 1, socket: id >> 1 })),
  disk: {
    ...{ volume: "/dev/vda", mountPoint: "/", totalBytes: 100 * 2 ** 30 },
    ...{ freeBytes: 50 * 2 ** 30, inodesUsedPercent: 3 },
  },
  devices: [device("lo", "127.0.0.1"), device("eth0", "fe80::1", "192.0.2.7", "2001:db8::7")],
  defaultDevice: "eth0",
};

function recordOf(client = "", more: Partial<Fingerprint> = {}) {
  const { config } = read(`data_dir = "/x"\nclient {\n  enabled = true\n${client}\n}`);
  if (config === undefined) throw new Error("the configuration is wrong");
  const record = nodeRecord({
    ...{ config, id: "id", secret: "secret", version: "2.0.5", httpAddress: "192.0.2.7:4646" },
    ...{ meta: new Map([["rack", "r1"]]), certificateDaysLeft: 30 },
    fingerprint: { ...MACHINE, ...more },
  });
  const resources = decodeValue(nodeResources, record.NodeResources);
  if (resources === undefined) throw new Error("the resources cannot be read");
  const networks = (resources.Networks ?? []).map(({ Device, IP, MBits }) => [Device, IP, MBits]);
  const attribute = (name: string) => textIn(record.Attributes, name);
  return { record, resources, networks, attribute };
}

describe("a node's record", () => {
  test("has what the kernel says", () => {
    const { record, resources, networks, attribute } = recordOf();
    expect(record).toMatchObject({
      ID: "id",
      SecretID: "secret",
      SchedulingEligibility: "eligible",
    });
    expect(resources.Cpu).toEqual({
      CpuShares: 10_000n,
      ReservableCpuCores: [0, 1, 2, 3],
      TotalCpuCores: 4,
    });
    expect(resources.Memory.MemoryMB).toBe(8192n);
    expect(resources.Disk.DiskMB).toBe(102_400n);
    expect(resources.Processors.Topology?.Nodes).toEqual(Uint8Array.of(0, 1));
    expect(networks).toEqual([
      ["eth0", "192.0.2.7", 1000],
      ["eth0", "2001:db8::7", 1000],
    ]);
    expect(attribute("cpu.arch")).toBe("amd64");
    expect(attribute("numa.node1.cores")).toBe("2,3");
    expect(attribute("unique.network.ip-address")).toBe("192.0.2.7");
    expect(attribute("unique.encryption.certificate_days_left")).toBe("30");
    expect(attribute("driver.exec")).toBeUndefined();
  });

  test("has what the operator says instead", () => {
    const { record, resources, networks, attribute } = recordOf(`
      preferred_address_family = "ipv6"
      network_speed = 10000
      cpu_total_compute = 4000
      memory_total_mb = 1024
      disk_total_mb = 2048
      default_ineligible = true
      reserved {
        cpu = 500
        memory = 100
        reserved_ports = "22"
      }
      host_volume "data" {
        path = "/srv/data"
        read_only = true
      }`);
    expect(networks).toEqual([["eth0", "2001:db8::7", 10_000]]);
    expect(resources.Cpu.CpuShares).toBe(4000n);
    expect([resources.Memory.MemoryMB, resources.Disk.DiskMB]).toEqual([1024n, 2048n]);
    expect(attribute("cpu.usablecompute")).toBe("3500");
    expect(record.SchedulingEligibility).toBe("ineligible");
    expect(decodeValue(reservedResources, record.ReservedResources)).toMatchObject({
      ...{ Cpu: { CpuShares: 500n }, Memory: { MemoryMB: 100n } },
      Networks: { ReservedHostPorts: "22" },
    });
    expect(decodeValue(hostVolumes, record.HostVolumes)?.get("data")).toMatchObject({
      ...{ Path: "/srv/data", ReadOnly: true },
    });
  });

  test("leaves out what is not known", () => {
    const cores = [{ id: 0, mhz: 0, numaNode: 0, socket: 0 }];
    const { attribute, networks } = recordOf("", { cores, devices: [], defaultDevice: undefined });
    expect(attribute("cpu.frequency")).toBeUndefined();
    expect(attribute("cpu.totalcompute")).toBeUndefined();
    expect(networks).toEqual([]);
  });
});

test("of this machine something is known", () => {
  const found = fingerprint("/tmp");
  expect(found.cores).toHaveLength(navigator.hardwareConcurrency);
  expect(found.memoryBytes).toBeGreaterThan(0);
  expect(found.disk.totalBytes).toBeGreaterThan(found.disk.freeBytes);
  expect(found.disk.mountPoint).toStartWith("/");
  expect(found.devices.map(({ name }) => name)).toContain("lo");
});
