/** What a snapshot of the replicated state keeps, and who else can read it. */
import { expect, test } from "bun:test";
import {
  AUTOPILOT_DEFAULTS,
  autopilotCommand,
  clusterMetadataCommand,
} from "../../src/state/command.ts";
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
  expect(bytes[at]).toBe(1);
  const later = bytes.with(at, 2);
  const machine = new StateMachine();
  expect(machine.restore(later, 9)).toBe(false);
  expect(machine.restore(bytes, 9)).toBe(true);
});
