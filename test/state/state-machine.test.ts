/** What a snapshot of the replicated state keeps, and who else can read it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  AUTOPILOT_DEFAULTS,
  autopilotCommand,
  clusterMetadataCommand,
  MessageType,
  restoreCommand,
} from "../../src/state/command.ts";
import { formatOfCommand, formatOfRecord, STATE_FORMAT } from "../../src/state/format.ts";
import { whyUnreadable } from "../../src/state/image.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { MsgpackReader } from "../../src/wire/msgpack-reader.ts";

function filled(): StateMachine {
  const machine = new StateMachine();
  machine.apply(4, autopilotCommand({ Config: { ...AUTOPILOT_DEFAULTS, MaxTrailingLogs: 77n } }));
  machine.apply(5, clusterMetadataCommand({ ClusterID: "a-cluster", CreateTime: 12n }));
  machine.advance(9);
  return machine;
}

test("a restored server has what the others have, autopilot's settings among it", () => {
  const machine = filled();
  const restored = new StateMachine();
  expect(restored.restore(machine.snapshot(), 9)).toBe(true);
  expect(restored.autopilot).toEqual(machine.autopilot);
  expect(restored.autopilot).toMatchObject({ MaxTrailingLogs: 77n, ModifyIndex: 4n });
  expect(restored.cluster).toEqual({ ClusterID: "a-cluster", CreateTime: 12n });
  expect(restored.index).toBe(9);
});

test("Nomad's restore finds its own records only: the header it skips, then indexes, pools and 14", () => {
  const bytes = filled().snapshot();
  const reader = new MsgpackReader(bytes);
  reader.skip();
  const types: number[] = [];
  while (reader.ok && reader.at < bytes.length) {
    types.push(reader.byte());
    reader.skip();
  }
  expect(reader.ok).toBe(true);
  expect(types).toEqual([2, 2, 2, 28, 28, 14]);
});

test("one that is cut anywhere changes nothing, unless whole records are missing", () => {
  const bytes = filled().snapshot();
  const refused = Array.from(bytes.keys()).filter((length) => {
    const machine = filled();
    if (machine.restore(bytes.subarray(0, length), 3)) return false;
    expect(machine.cluster?.ClusterID).toBe("a-cluster");
    expect(machine.index).toBe(9);
    return true;
  });
  // After the header, each of the three index records, and each of the two pools.
  expect(refused.length).toBe(bytes.length - 6);
});

test("settings are replaced with the right index only", () => {
  const machine = filled();
  const config = { ...AUTOPILOT_DEFAULTS, MinQuorum: 3 };
  machine.apply(10, autopilotCommand({ CAS: true, Config: { ...config, ModifyIndex: 3n } }));
  expect(machine.autopilot?.MinQuorum).toBe(0);
  machine.apply(11, autopilotCommand({ CAS: true, Config: { ...config, ModifyIndex: 4n } }));
  expect(machine.autopilot).toMatchObject({ MinQuorum: 3, CreateIndex: 4n, ModifyIndex: 11n });
});

test("a snapshot of a later release is refused, not half understood", () => {
  const bytes = filled().snapshot();
  const at = new TextDecoder("latin1").decode(bytes).indexOf("Version") + "Version".length;
  // Of the first format, since it has nothing of a later one: the release before reads it, too.
  expect(bytes[at]).toBe(1);
  const later = bytes.with(at, STATE_FORMAT + 1);
  const machine = new StateMachine();
  expect([machine.canRestore(later), machine.restore(later, 9)]).toEqual([false, false]);
  expect(whyUnreadable(later)).toBe(
    `it was written by a later release (its format is ${STATE_FORMAT + 1}, and this one reads up ` +
      `to ${STATE_FORMAT}): use that one`,
  );
  expect(whyUnreadable(bytes.subarray(0, 9))).toBe("it is not the state of a Nomad server");
  expect([machine.canRestore(bytes), machine.restore(bytes, 9)]).toEqual([true, true]);
});

test("a command of a later release is told from one that may be skipped", () => {
  const machine = new StateMachine();
  const said = [
    autopilotCommand({ Config: AUTOPILOT_DEFAULTS }),
    Uint8Array.of(), // Nothing: of a leader's first entry.
    Uint8Array.of(0x80 | 99, 0x80), // By its bit everybody may skip it.
    Uint8Array.of(0x80 | 111, 0x80), // Nomad's servers, for it is one of ours.
    Uint8Array.of(99, 0x80),
    restoreCommand(filled().snapshot()),
    restoreCommand(later(filled().snapshot())),
  ].map((data, i) => machine.apply(i + 1, data));
  expect(said).toEqual(["applied", "skipped", "skipped", "later", "later", "applied", "later"]);
  expect([machine.index, machine.skipped]).toEqual([7, 5]);
});

function later(image: Uint8Array): Uint8Array {
  const at = new TextDecoder("latin1").decode(image).indexOf("Version") + "Version".length;
  return image.with(at, STATE_FORMAT + 1);
}

test("whoever builds an older release reads what only it knew, and says so of the rest", () => {
  expect(formatOfRecord(0)).toBe(1);
  expect(formatOfRecord(200)).toBeGreaterThan(1);
  expect([...Object.values(MessageType)].map(formatOfCommand)).not.toContain(0);
  expect(formatOfCommand(MessageType.nodeRegister)).toBe(1);
});

test("what the first release wrote is read, all of it", () => {
  const file = new URL("../vectors/state/format-1.json", import.meta.url);
  const { image, commands, state } = JSON.parse(readFileSync(file, "utf8"));
  const [restored, replayed] = [new StateMachine(), new StateMachine()];
  expect(restored.restore(Uint8Array.fromHex(image), 40)).toBe(true);
  for (const [i, hex] of commands.entries()) {
    expect(replayed.apply(i + 1, Uint8Array.fromHex(hex))).toBe("applied");
  }
  for (const machine of [restored, replayed]) {
    expect(machine.cluster?.ClusterID).toBe(state.cluster);
    expect(machine.autopilot).toMatchObject({ MaxTrailingLogs: BigInt(state.trailing) });
    const nodes = machine.nodes.all().map((one) => [one.ID, one.Status, one.SecretID]);
    expect(nodes).toEqual(state.nodes);
    expect(
      machine.pools
        .all()
        .map((one) => one.Name)
        .sort(),
    ).toEqual(state.pools);
  }
});
