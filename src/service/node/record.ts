/**
 * A client node's own record, as its servers keep it: what the machine is, what the operator says
 * of it, and how its calls are encrypted (wire/rpc-and-raft.md §6.2).
 *
 * @module
 */
import type { Config } from "../../config/config.ts";
import { renderAddress } from "../../config/sockaddr.ts";
import type { Fingerprint, NetworkDevice } from "../../host/fingerprint.ts";
import { defaultInterface, machineInterfaces } from "../../host/interfaces.ts";
import { mapBytes, type Node, node } from "../../state/node.ts";
import { encodeValue, structOf } from "../../wire/codec.ts";
import {
  hostVolumes,
  type NodeResources,
  nodeResources,
  reservedResources,
} from "../../wire/node-resources.ts";

const MEBIBYTE = 1024 * 1024;
/** Mbit/s of a device that does not tell its speed: Nomad's value. */
const SPEED_UNKNOWN = 1000;
const [DYNAMIC_PORT_MIN, DYNAMIC_PORT_MAX] = [20_000, 32_000];

interface NodeFacts {
  readonly config: Config;
  readonly id: string;
  readonly secret: string;
  readonly fingerprint: Fingerprint;
  /** The configuration's, and what was changed since. */
  readonly meta: ReadonlyMap<string, string>;
  /** Where its HTTP API is: host:port. */
  readonly httpAddress: string;
  /** The release of Nomad that it speaks like. */
  readonly version: string;
  /** Of its certificate; undefined: it has none. */
  readonly certificateDaysLeft: number | undefined;
}

export function nodeRecord(facts: NodeFacts): Node {
  const { config, id, secret, meta } = facts;
  const { client } = config;
  return structOf(node, {
    Attributes: mapBytes(attributesOf(facts)),
    CSIControllerPlugins: EMPTY,
    CSINodePlugins: EMPTY,
    Datacenter: config.datacenter,
    Drivers: EMPTY,
    HTTPAddr: facts.httpAddress,
    HostVolumes: encodeValue(
      hostVolumes,
      new Map(
        client.hostVolumes.map(({ name, path, readOnly }) => {
          return [name, { ID: "", Name: name, Path: path, ReadOnly: readOnly }] as const;
        }),
      ),
    ),
    ID: id,
    Links: EMPTY,
    Meta: mapBytes(meta),
    Name: config.name,
    NodeClass: client.nodeClass,
    NodePool: client.nodePool,
    NodeResources: encodeValue(nodeResources, resourcesOf(facts)),
    ReservedResources: encodeValue(reservedResources, {
      Cpu: { CpuShares: BigInt(client.reserved.cpuMhz), ReservedCpuCores: null },
      Disk: { DiskMB: BigInt(client.reserved.diskMb) },
      Memory: { MemoryMB: BigInt(client.reserved.memoryMb) },
      Networks: { ReservedHostPorts: client.reserved.ports },
    }),
    SchedulingEligibility: client.defaultIneligible ? "ineligible" : "eligible",
    SecretID: secret,
    Status: "initializing",
    TLSEnabled: config.tls.http,
  });
}

const EMPTY = mapBytes(new Map());

/** Nomad's names; `unique.` is in front of what no two nodes have in common. */
function attributesOf(facts: NodeFacts): ReadonlyMap<string, string> {
  const { fingerprint: found, config, certificateDaysLeft: days } = facts;
  const mhz = totalMhz(facts);
  const address = networksOf(facts)[0]?.address ?? "";
  const all: readonly (readonly [string, string])[] = [
    ["cpu.arch", goArchitecture(found.kernelArch)],
    ["cpu.frequency", textOf(found.cores[0]?.mhz ?? 0)],
    ["cpu.modelname", found.cpuModel],
    ["cpu.numcores", textOf(found.cores.length)],
    ["cpu.reservablecores", textOf(found.cores.length)],
    ["cpu.totalcompute", textOf(mhz)],
    ["cpu.usablecompute", textOf(Math.max(0, mhz - config.client.reserved.cpuMhz))],
    ["encryption.rpc", String(config.tls.rpc)],
    ["encryption.rpc.min_version", config.tls.rpc ? config.tls.minVersion : ""],
    ["encryption.rpc.verify_server_hostname", String(config.tls.verifyServerHostname)],
    ["kernel.arch", found.kernelArch],
    ["kernel.name", found.kernelName],
    ["kernel.version", found.kernelVersion],
    ["memory.totalbytes", textOf(memoryBytes(facts))],
    ["nomad.version", facts.version],
    ["numa.node.count", textOf(numaNodes(found).length)],
    ...numaNodes(found).map((one) => {
      const ids = found.cores.filter(({ numaNode }) => numaNode === one).map(({ id }) => id);
      return [`numa.node${one}.cores`, ids.join(",")] as const;
    }),
    ["os.name", found.osName],
    ["os.version", found.osVersion],
    ["unique.advertise.address", facts.httpAddress],
    ["unique.encryption.certificate_days_left", days === undefined ? "" : String(days)],
    ["unique.hostname", found.hostname],
    ["unique.network.ip-address", address],
    ["unique.storage.bytestotal", textOf(diskBytes(facts))],
    ["unique.storage.volume", found.disk.volume],
  ];
  return new Map(all.filter(([, value]) => value !== ""));
}

/** "" for what is not known. */
function textOf(value: number): string {
  return value === 0 ? "" : String(value);
}

function goArchitecture(kernelArch: string): string {
  return { x86_64: "amd64", aarch64: "arm64" }[kernelArch] ?? kernelArch;
}

function resourcesOf(facts: NodeFacts): NodeResources {
  const { fingerprint: found, config } = facts;
  const device = deviceOf(facts);
  const speed = config.client.networkSpeed || device?.speed || SPEED_UNKNOWN;
  const networks = networksOf(facts);
  return {
    Cpu: {
      CpuShares: BigInt(totalMhz(facts)),
      ReservableCpuCores: found.cores.map(({ id }) => id),
      TotalCpuCores: found.cores.length,
    },
    Devices: null,
    Disk: { DiskMB: BigInt(Math.floor(diskBytes(facts) / MEBIBYTE)) },
    MaxDynamicPort: DYNAMIC_PORT_MAX,
    Memory: { MemoryMB: BigInt(Math.floor(memoryBytes(facts) / MEBIBYTE)) },
    MinDynamicPort: DYNAMIC_PORT_MIN,
    Networks: networks.map(({ address, cidr }) => {
      return { CIDR: cidr, Device: device?.name ?? "", IP: address, MBits: speed, Mode: "host" };
    }),
    NodeNetworks: [
      {
        Addresses: networks.map(({ address, family }) => {
          const none = { Gateway: "", ReservedPorts: "" };
          return { Address: address, Alias: "default", Family: family, ...none };
        }),
        Device: device?.name ?? "",
        MacAddress: device?.macAddress ?? "",
        Mode: "host",
        Speed: speed,
      },
    ],
    Processors: { Topology: topologyOf(facts) },
  };
}

function topologyOf(facts: NodeFacts): NodeResources["Processors"]["Topology"] {
  const { fingerprint: found, config } = facts;
  return {
    BusAssociativity: new Map(),
    Cores: found.cores.map(({ id, mhz, numaNode, socket }) => ({
      BaseSpeed: BigInt(mhz),
      Disable: false,
      Grade: true,
      GuessSpeed: 0n,
      ID: id,
      MaxSpeed: 0n,
      NodeID: numaNode,
      SocketID: socket,
    })),
    Distances: null,
    Nodes: Uint8Array.from(numaNodes(found)),
    OverrideTotalCompute: BigInt(config.client.cpuTotalCompute),
    OverrideWitholdCompute: BigInt(config.client.reserved.cpuMhz),
  };
}

function numaNodes({ cores }: Fingerprint): readonly number[] {
  return [...new Set(cores.map(({ numaNode }) => numaNode))].sort((a, b) => a - b);
}

function totalMhz({ config, fingerprint }: NodeFacts): number {
  const { cpuTotalCompute } = config.client;
  return cpuTotalCompute || fingerprint.cores.reduce((sum, { mhz }) => sum + mhz, 0);
}

function memoryBytes({ config, fingerprint }: NodeFacts): number {
  return config.client.memoryTotalMb * MEBIBYTE || fingerprint.memoryBytes;
}

function diskBytes({ config, fingerprint }: NodeFacts): number {
  return config.client.diskTotalMb * MEBIBYTE || fingerprint.disk.totalBytes;
}

/** The one that is named, the one of the default route, or one that others may reach. */
function deviceOf({ config, fingerprint }: NodeFacts): NetworkDevice | undefined {
  const { devices, defaultDevice } = fingerprint;
  const named = (name: string | undefined): NetworkDevice | undefined =>
    devices.find((one) => one.name === name);
  const { networkInterface } = config.client;
  if (networkInterface !== "") return named(interfaceOf(networkInterface));
  return named(defaultDevice) ?? devices.find(({ name }) => name !== "lo") ?? devices[0];
}

/** What `network_interface` names, its template filled in. */
export function interfaceOf(setting: string): string {
  const all = { all: machineInterfaces(), defaultName: defaultInterface() };
  return (
    renderAddress(setting, () => all)
      .text?.trim()
      .split(/\s+/)[0] ?? ""
  );
}

/** Addresses of the preferred family only, if there is one; link-local ones only without others. */
function networksOf(facts: NodeFacts): NetworkDevice["addresses"] {
  const all = deviceOf(facts)?.addresses ?? [];
  const { preferredAddressFamily: wanted } = facts.config.client;
  const routed = all.filter(({ linkLocal }) => !linkLocal);
  const some = routed.length > 0 ? routed : all;
  const preferred = some.filter(({ family }) => family === wanted);
  return preferred.length > 0 ? preferred : some;
}
