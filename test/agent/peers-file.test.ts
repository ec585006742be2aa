/** peers.json: the group is made anew from the log, and a bad file changes nothing. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recoverGroup } from "../../src/agent/peers-file.ts";
import type { Log } from "../../src/host/host.ts";
import { RaftStore } from "../../src/host/raft-store.ts";
import { EntryType, type RaftServer } from "../../src/protocol/raft/message.ts";
import {
  AUTOPILOT_DEFAULTS,
  autopilotCommand,
  clusterMetadataCommand,
} from "../../src/state/command.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { configurationCodec } from "../../src/wire/raft-codec.ts";

const root = mkdtempSync(join(tmpdir(), "nomad-peers-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const quiet: Log = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  named: () => quiet,
};
const GROUP = ["a", "b", "c"].map((id): RaftServer => {
  return { id, address: `10.0.0.1:${id.charCodeAt(0)}`, suffrage: "voter" };
});
const state = { term: 4, votedTerm: 4, votedFor: "a" };

function storeWith(name: string): { store: RaftStore; path: string } {
  const directory = join(root, name);
  const store = new RaftStore(directory);
  const entry = (index: number, type: number, data: Uint8Array) => ({
    index,
    term: index < 3 ? 2 : 3,
    type,
    data,
    appendedAtMs: undefined,
  });
  store.persist(state, undefined, [
    entry(1, EntryType.configuration, configurationCodec.encode({ servers: GROUP })),
    entry(2, EntryType.command, clusterMetadataCommand({ ClusterID: "c", CreateTime: 1n })),
    entry(3, EntryType.command, autopilotCommand({ Config: { ...AUTOPILOT_DEFAULTS } })),
  ]);
  return { store, path: join(directory, "peers.json") };
}

test("what the log says becomes the state, with the servers of the file", () => {
  const { store, path } = storeWith("good");
  recoverGroup(path, "a", store, quiet);
  expect(store.load().entries.length).toBe(3); // No file, no change.
  const peers = [
    { id: "a", address: "127.0.0.1:4647" },
    { id: "b", address: "[::1]:4647", non_voter: true },
  ];
  writeFileSync(path, JSON.stringify(peers));
  recoverGroup(path, "a", store, quiet);
  store.close();
  const again = new RaftStore(join(path, ".."));
  const after = again.load();
  again.close();
  expect(after.entries).toEqual([]);
  expect(after.state).toEqual(state);
  expect(after.snapshot?.meta).toEqual({
    index: 3,
    term: 3,
    configurationIndex: 3,
    configuration: {
      servers: [
        { id: "a", address: "127.0.0.1:4647", suffrage: "voter" },
        { id: "b", address: "[::1]:4647", suffrage: "nonvoter" },
      ],
    },
  });
  const machine = new StateMachine();
  expect(machine.restore(after.snapshot?.data ?? new Uint8Array(0), 3)).toBe(true);
  expect(machine.cluster?.ClusterID).toBe("c");
  expect(machine.autopilot?.MaxTrailingLogs).toBe(250n);
  expect(existsSync(path)).toBe(false);
});

describe("a bad file is named, and nothing changes", () => {
  const a = { id: "a", address: "127.0.0.1:4647" };
  const cases: readonly (readonly [string, string])[] = [
    ["{", "is not JSON"],
    ['"a"', "must be a list"],
    ["[]", "names no voter"],
    [JSON.stringify([{ ...a, non_voter: true }]), "names no voter"],
    [JSON.stringify([a, 7]), "in its entry 2"],
    [JSON.stringify([{ address: a.address }]), "has no id in its entry 1"],
    [JSON.stringify([{ ...a, address: "127.0.0.1" }]), "has no address of the form ip:port"],
    [JSON.stringify([{ ...a, non_voter: "no" }]), "non_voter that is no bool"],
    [JSON.stringify([a, { ...a, address: "127.0.0.2:4647" }]), "names the id a twice"],
    [JSON.stringify([a, { ...a, id: "b" }]), "names the address 127.0.0.1:4647 twice"],
    [
      JSON.stringify([a, { id: "d", address: "127.0.0.2:4647" }]),
      "names the id d, which no server of the group has had (a, b, c)",
    ],
    [
      JSON.stringify([{ ...a, id: "b" }]),
      "does not name this server, whose id is a; nothing was changed",
    ],
  ];
  for (const [i, [text, says]] of cases.entries()) {
    test(text, () => {
      const { store, path } = storeWith(`bad${i}`);
      writeFileSync(path, text);
      expect(() => recoverGroup(path, "a", store, quiet)).toThrow(says);
      expect(existsSync(path)).toBe(true);
      expect(store.load()).toMatchObject({ snapshot: undefined, entries: { length: 3 } });
      store.close();
    });
  }
});

test("a server that never was in a group is told so", () => {
  const directory = join(root, "new");
  const store = new RaftStore(directory);
  const path = join(directory, "peers.json");
  writeFileSync(path, '[{"id": "a", "address": "127.0.0.1:4647"}]');
  expect(() => recoverGroup(path, "a", store, quiet)).toThrow("this one has no Raft state");
  store.close();
});
