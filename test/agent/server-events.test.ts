/** The events of a server, put together: from its state, from what it sees, and for whom. */
import { expect, test } from "bun:test";
import { ServerEvents } from "../../src/agent/server-events.ts";
import { streamPair } from "../../src/host/stream-pair.ts";
import { EVENTS } from "../../src/service/methods/event-method.ts";
import { StreamMethods } from "../../src/service/methods/stream-methods.ts";
import { createRpcCounters } from "../../src/service/rpc/counters.ts";
import { RpcMethodError } from "../../src/service/rpc/method-error.ts";
import { aclToken, tokenUpsertRequest } from "../../src/state/acl/acl.ts";
import { AclMessage } from "../../src/state/acl/acl-changes.ts";
import { ALL_GRANTS } from "../../src/state/acl/grants.ts";
import type { Grants } from "../../src/state/acl/need.ts";
import { command, MessageType } from "../../src/state/command.ts";
import { nodePool, nodePoolUpsertRequest } from "../../src/state/node-pool.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import type { CertificateInfo } from "../../src/tls/certificate.ts";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { eventFrame, eventRequest } from "../../src/wire/rpc-event.ts";
import { readValue, streamAck, streamHeader } from "../../src/wire/rpc-stream.ts";
import { read } from "../config/read.ts";
import { ManualClock } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

const DAY = 86_400_000;
const AGENT: Grants = {
  isManagement: false,
  level: (area) => (area === "agent" ? "read" : ""),
  nodePool: () => false,
  namespace: () => false,
};

function serverOf(more = "") {
  const { config } = read(`data_dir = "/x"\nserver {\n  enabled = true\n${more}\n}\n`);
  if (config === undefined) throw new Error("no configuration");
  const clock = new ManualClock();
  const machine = new StateMachine();
  const tokens = new Map([["all", ALL_GRANTS]]);
  const certificates: Partial<CertificateInfo>[] = [];
  const events = new ServerEvents({
    ...{ config, self: "a.global", machine, clock, log: silent },
    guard: {
      grants: (token) => {
        const found = tokens.get(token);
        if (found === undefined) throw new RpcMethodError("ACL token not found", false);
        return found;
      },
    },
    material: () => {
      const [certificate, ...authorities] = certificates;
      return certificate === undefined ? undefined : Object({ certificate, authorities });
    },
    streamTo: () => Promise.reject(new Error("nowhere")),
  });
  const methods = new Map([[EVENTS, events.method]]);
  const streams = new StreamMethods({ methods, counters: createRpcCounters() });
  let index = 0;
  return {
    ...{ clock, machine, tokens, certificates, events },
    pool(name: string) {
      const NodePools = [structOf(nodePool, { Name: name })];
      const request = structOf(nodePoolUpsertRequest, { NodePools });
      index += 1;
      machine.apply(index, command(MessageType.nodePoolUpsert, nodePoolUpsertRequest, request));
    },
    token(name: string) {
      const Tokens = [structOf(aclToken, { AccessorID: name })];
      const request = structOf(tokenUpsertRequest, { Tokens });
      index += 1;
      machine.apply(index, command(AclMessage.tokenUpsert, tokenUpsertRequest, request));
    },
    listen(AuthToken: string, ...topics: string[]) {
      const [near, far] = streamPair();
      void streams.serve(far, { names: undefined });
      const heard: Uint8Array[] = [];
      const nothing = (): void => undefined;
      const data = (bytes: Uint8Array): void => void heard.push(bytes);
      near.listen({ data, ended: nothing, closed: nothing });
      const Topics = new Map(topics.map((one) => [one, ["*"]]));
      const request = structOf(eventRequest, { Region: config.region, Topics, AuthToken });
      near.write(encodeValue(streamHeader, { Method: EVENTS }));
      near.write(encodeValue(eventRequest, request));
      return () => shown(Buffer.concat(heard));
    },
  };
}

/** `Type Key` of each event; an error as it is. */
function shown(bytes: Uint8Array): string[] {
  const ack = readValue(streamAck, bytes);
  const found: string[] = [];
  for (let at = ack.kind === "value" ? ack.bytes : bytes.length; at < bytes.length; ) {
    const one = readValue(eventFrame, bytes.subarray(at));
    if (one.kind !== "value") break;
    at += one.bytes;
    const { Error: error, Event } = one.value;
    if (error !== null) found.push(error.Message);
    const { Events = [] } = JSON.parse(new TextDecoder().decode(Event?.Data ?? undefined) || "{}");
    for (const { Type, Key } of Events) found.push(`${Type} ${Key}`);
  }
  return found;
}

async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("a token that loses its right hears what was before, and that it is over", async () => {
  const server = serverOf();
  const stranger = server.listen("", "Agent");
  const wide = server.listen("all", "NodePool", "Agent");
  server.tokens.set("some", AGENT);
  const narrow = server.listen("some", "Agent");
  const greedy = server.listen("some", "Agent", "NodePool");
  server.events.keysChanged("install", "f1", ["f0", "f1"]);
  server.pool("red");
  await turns();
  expect(stranger()).toEqual(["Permission denied"]);
  expect(greedy()).toEqual(["Permission denied"]);
  expect(narrow()).toEqual(["GossipKeyInstalled f1"]);
  expect(wide()).toEqual(["GossipKeyInstalled f1", "NodePoolUpserted red"]);
  // Gone from the state; another token's change says that nothing is as it was.
  server.tokens.delete("some");
  server.token("other");
  server.events.keysChanged("use", "f1", ["f1", "f0"]);
  await turns();
  const over = "subscription closed by server, client should resubscribe";
  expect(narrow()).toEqual(["GossipKeyInstalled f1", over]);
  expect(wide()).toEqual([...wide().slice(0, 2), "GossipKeyUsed f1"]);
});

test("certificates: new ones of a reload, and the end of one", async () => {
  const server = serverOf();
  const now = server.clock.wallMs();
  const made = (fingerprint: string, days: number): Partial<CertificateInfo> => ({
    ...{ fingerprint, subject: "CN=x", isCa: false, dnsNames: ["x"] },
    ...{ notBeforeMs: now, notAfterMs: now + days * DAY },
  });
  server.certificates.push(made("own", 300), made("ca", 9000));
  server.events.start();
  const heard = server.listen("all", "Agent");
  server.events.reloaded();
  server.certificates[0] = made("new", 40);
  server.events.reloaded();
  await server.clock.advance(11 * DAY);
  await turns();
  // A third of its life is left, and a month.
  expect(heard()).toEqual(["CertificateReloaded new"]);
  server.events.stop();
});

test("without a broker nothing is kept, and a stream is an error", async () => {
  const server = serverOf("enable_event_broker = false");
  server.events.keysChanged("install", "f1", ["f0", "f1"]);
  server.pool("red");
  const heard = server.listen("all", "Agent");
  await turns();
  expect(heard()).toEqual(["EventBroker not configured"]);
});
