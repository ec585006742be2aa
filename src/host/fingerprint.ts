/**
 * What the machine is made of, as a client node tells its servers: read off the kernel, nothing
 * guessed. What cannot be read is left out.
 *
 * @module
 */
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { cpus, hostname, machine, networkInterfaces, release, totalmem, type } from "node:os";
import { defaultInterface } from "./interfaces.ts";

interface Core {
  readonly id: number;
  /** 0: the kernel does not say. */
  readonly mhz: number;
  readonly numaNode: number;
  readonly socket: number;
}

export interface NetworkDevice {
  readonly name: string;
  readonly macAddress: string;
  /** Mbit/s; undefined: the kernel does not say. */
  readonly speed: number | undefined;
  readonly addresses: readonly {
    readonly address: string;
    readonly cidr: string;
    readonly family: "ipv4" | "ipv6";
    readonly linkLocal: boolean;
  }[];
}

export interface Disk {
  /** The block device or file system behind it. */
  readonly volume: string;
  readonly mountPoint: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly inodesUsedPercent: number;
}

export interface Fingerprint {
  readonly hostname: string;
  readonly kernelName: string;
  readonly kernelVersion: string;
  readonly kernelArch: string;
  readonly osName: string;
  readonly osVersion: string;
  readonly cpuModel: string;
  readonly cores: readonly Core[];
  readonly memoryBytes: number;
  readonly disk: Disk;
  readonly devices: readonly NetworkDevice[];
  /** The device of the default route; undefined: there is none. */
  readonly defaultDevice: string | undefined;
}

/** @param directory the disk is the one that has it */
export function fingerprint(directory: string): Fingerprint {
  const release_ = osRelease();
  return {
    hostname: hostname(),
    kernelName: type().toLowerCase(),
    kernelVersion: release(),
    kernelArch: machine(),
    osName: release_.get("ID") ?? "",
    osVersion: release_.get("VERSION_ID") ?? "",
    cpuModel: cpus()[0]?.model ?? "",
    cores: coresOf(),
    memoryBytes: totalmem(),
    disk: diskOf(directory),
    devices: devicesOf(),
    defaultDevice: defaultInterface(),
  };
}

/** The file system that has `directory`. */
export function diskOf(directory: string): Disk {
  const { bsize, blocks, bavail, files, ffree } = statfsSync(directory);
  const { volume, mountPoint } = mountOf(directory);
  return {
    volume,
    mountPoint,
    totalBytes: bsize * blocks,
    freeBytes: bsize * bavail,
    inodesUsedPercent: files === 0 ? 0 : (100 * (files - ffree)) / files,
  };
}

/** The deepest mount above it; of two on one point the later one is seen. */
function mountOf(directory: string): Mount {
  const above = mounts().filter(({ mountPoint }) => {
    return directory === mountPoint || directory.startsWith(mountPoint.replace(/\/?$/, "/"));
  });
  const deepest = Math.max(...above.map(({ mountPoint }) => mountPoint.length));
  const found = above.findLast(({ mountPoint }) => mountPoint.length === deepest);
  return found ?? { volume: "", mountPoint: "/" };
}

interface Mount {
  readonly volume: string;
  readonly mountPoint: string;
}

/** In the order in which they were made. */
export function mounts(): readonly Mount[] {
  const lines = textOf("/proc/mounts").split("\n");
  return lines.flatMap((line) => {
    const [volume, mountPoint] = line.split(" ");
    return volume === undefined || mountPoint === undefined ? [] : [{ volume, mountPoint }];
  });
}

function osRelease(): ReadonlyMap<string, string> {
  const lines = textOf("/etc/os-release").split("\n");
  return new Map(
    lines.map((line) => {
      const [key = "", ...value] = line.split("=");
      return [key, value.join("=").replace(/^"(.*)"$/, "$1")] as const;
    }),
  );
}

function coresOf(): readonly Core[] {
  const nodes = numaNodes();
  const measured = [...textOf("/proc/cpuinfo").matchAll(/^cpu MHz\s*:\s*([\d.]+)/gm)];
  return cpus().map((_one, id) => {
    const at = `/sys/devices/system/cpu/cpu${id}`;
    const kilohertz =
      numberOf(`${at}/cpufreq/base_frequency`) ?? numberOf(`${at}/cpufreq/cpuinfo_max_freq`);
    return {
      id,
      mhz: Math.round(kilohertz === undefined ? Number(measured[id]?.[1] ?? 0) : kilohertz / 1000),
      numaNode: nodes.get(id) ?? 0,
      socket: Math.max(0, numberOf(`${at}/topology/physical_package_id`) ?? 0),
    };
  });
}

/** Of each core. */
function numaNodes(): ReadonlyMap<number, number> {
  const at = "/sys/devices/system/node";
  const found = new Map<number, number>();
  for (const name of namesIn(at)) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node === undefined) continue;
    for (const part of textOf(`${at}/${name}/cpulist`).trim().split(",")) {
      const [first = Number.NaN, last = first] = part.split("-").map(Number);
      for (let id = first; id <= last; id++) found.set(id, Number(node));
    }
  }
  return found;
}

function devicesOf(): readonly NetworkDevice[] {
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => {
    const speed = numberOf(`/sys/class/net/${name}/speed`);
    return {
      name,
      macAddress: (addresses[0]?.mac ?? "").replace(/^(00:)+00$/, ""),
      speed: speed === undefined || speed <= 0 ? undefined : speed,
      addresses: addresses.map(({ address, cidr, family }) => ({
        address,
        // Of the address alone, as Nomad's: not of its network.
        cidr: `${address}/${family === "IPv6" ? 128 : 32}`,
        family: family === "IPv6" ? ("ipv6" as const) : ("ipv4" as const),
        linkLocal: /^(?:fe80:|169\.254\.)/i.test(cidr ?? address),
      })),
    };
  });
}

/** "" where there is nothing to be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function numberOf(path: string): number | undefined {
  const text = textOf(path).trim();
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
