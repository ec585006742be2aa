/** UDP on loopback, as the kernel does it. */

import { expect, test } from "bun:test";
import type { DatagramHandler } from "../../src/host/host.ts";
import { systemNetwork } from "../../src/host/network.ts";
import { ipOf } from "../addresses.ts";
import { until } from "../cluster/agents.ts";

const local = (last: number): { ip: Uint8Array; port: number } => ({
  ip: ipOf(`44.${last}`),
  port: 4648,
});

test("a datagram to somebody who is gone does not cost the next one its way", async () => {
  const [heard, answers]: string[][] = [[], []];
  const problems: Error[] = [];
  const into = (list: string[] | undefined): DatagramHandler => ({
    packet: (bytes) => void list?.push(new TextDecoder().decode(bytes)),
    problem: (error) => void problems.push(error),
  });
  const living = await systemNetwork.datagrams(local(2), into(heard));
  const asker = await systemNetwork.datagrams(local(1), into(answers));
  const expected: string[] = [];
  for (let i = 0; i < 20; i++) {
    asker.send(new TextEncoder().encode("nobody there"), local(9));
    asker.send(new TextEncoder().encode(`to the living ${i}`), local(2));
    living.send(new TextEncoder().encode(`back ${i}`), local(1));
    expected.push(`to the living ${i}`);
    await Bun.sleep(1);
  }
  await until("everything to arrive", () => heard?.length === 20 && answers?.length === 20);
  expect(heard).toEqual(expected);
  // The kernel did say so: otherwise the test shows nothing.
  expect(problems.length).toBeGreaterThan(0);
  living.close();
  asker.close();
});
