/** What an operator's upkeep takes out of the state. */
import { expect, test } from "bun:test";
import { systemMethods } from "../../../src/service/methods/system-methods.ts";
import { decodeQueryOptions, encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { Server } from "./node-server.ts";

test("nodes that are down are taken out, and no others", async () => {
  const server = new Server();
  await server.register({ ID: "up", SecretID: "s" });
  await server.register({ ID: "gone", SecretID: "s", Status: "down" });
  const deregister = (_options: unknown, body: Uint8Array): Promise<Uint8Array> =>
    server.call("Node.BatchDeregister", body);
  const methods = systemMethods({ machine: server.machine, deregister });
  const body = encodeQueryOptions({ Region: "global" });
  const options = decodeQueryOptions(body);
  if (options === undefined) throw new Error("no options");
  const collect = () => methods.get("System.GarbageCollect")?.run(options, body);
  await collect();
  expect(server.machine.nodes.all().map((one) => one.ID)).toEqual(["up"]);
  const { index } = server.machine.nodes;
  await collect();
  expect(server.machine.nodes.index).toBe(index);
});
