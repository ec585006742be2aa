/** What a machine looks like to whoever looks for a fault: Agent.Host, as Nomad has it. */
import { type Disk, diskOf, fingerprint, textOf } from "../../host/fingerprint.ts";
import { encodeValue } from "../../wire/codec.ts";
import { hostDataReply } from "../../wire/rpc-client.ts";

const MEBIBYTE = 1024 * 1024;
/** Of the environment: what is no secret, by name. */
const SHOWN = /^(?:PATH|HOME|PWD|SHELL|USER|LOGNAME|LANG|LC_\w+|TZ|TERM|HOSTNAME)$/;

/**
 * @param id of the agent
 * @param directory the disk is the one that has it
 * @returns the answer, as it is sent; values of the environment that may be secrets are left out
 */
export function hostData(id: string, directory: string): Uint8Array {
  const found = fingerprint(directory);
  const disk = diskOf(directory);
  const environment = Object.entries(process.env).map(([name, value = ""]) => {
    return [name, SHOWN.test(name) ? value : "<redacted>"] as const;
  });
  const Network = found.devices.map(({ name, macAddress, addresses }) => {
    const address = addresses.map((one) => one.address).join(", ");
    return new Map([
      ["name", name],
      ["hardware address", macAddress],
      ["addresses", address],
    ]);
  });
  const HostData = {
    Disk: new Map([
      [disk.mountPoint, { DiskMB: mebibytes(disk.totalBytes), UsedMB: usedMb(disk) }],
    ]),
    Environment: new Map(environment),
    Hosts: textOf("/etc/hosts"),
    Network,
    OS: `${found.kernelName} ${found.kernelVersion} ${found.osName} ${found.osVersion}`,
    ResolvConf: textOf("/etc/resolv.conf"),
  };
  return encodeValue(hostDataReply, { AgentID: id, HostData });
}

function mebibytes(bytes: number): bigint {
  return BigInt(Math.floor(bytes / MEBIBYTE));
}

function usedMb({ totalBytes, freeBytes }: Disk): bigint {
  return mebibytes(Math.max(0, totalBytes - freeBytes));
}
