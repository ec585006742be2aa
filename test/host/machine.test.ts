/** Addresses of hosts, as the machine finds them. */
import { expect, test } from "bun:test";
import { lookupHost } from "../../src/host/machine.ts";

test("what is nearly an IPv4 address is no host", async () => {
  for (const host of ["10.0.1", "1.2.3", "256.1.1.1", "1.2.3.4.5", "12345", "0x7f000001", "a.1"]) {
    expect([host, await lookupHost(host)]).toEqual([host, []]);
  }
});

test("no name is no host, and nothing is printed of it", async () => {
  const script = `const { lookupHost } = require("${import.meta.dir}/../../src/host/machine.ts");
    lookupHost("").then((found) => console.log(found.length));`;
  const ran = Bun.spawnSync([process.execPath, "-e", script], { stderr: "pipe" });
  expect([ran.stdout.toString(), ran.stderr.toString()]).toEqual(["0\n", ""]);
});

test("an address is its own", async () => {
  expect(await lookupHost("10.0.0.1")).toEqual([Uint8Array.of(10, 0, 0, 1)]);
});
