/** The keys that sign identities, as the servers agree on them. */
import { describe, expect, test } from "bun:test";
import { command, IGNORABLE, MessageType, restoreCommand } from "../../src/state/command.ts";
import { commandFormat } from "../../src/state/command-format.ts";
import {
  type SigningKey,
  signingKey,
  signingKeyDeleteRequest,
  signingKeyUpsertRequest,
} from "../../src/state/signing-key.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { structOf } from "../../src/wire/codec.ts";

const { signingKeyUpsert, signingKeyDelete } = MessageType;

function keyOf(KeyID: string, fields: Partial<SigningKey> = {}): SigningKey {
  return structOf(signingKey, {
    ...{ KeyID, Algorithm: "EdDSA", State: "active", CreateTime: 5n, LifetimeMax: 100n },
    ...{ PublicKey: new Uint8Array(32).fill(1), Sealed: new Uint8Array(72).fill(2), ...fields },
  });
}

function put(machine: StateMachine, index: number, Key: SigningKey, Now = 0n): string {
  const request = structOf(signingKeyUpsertRequest, { Key, Now });
  const type = signingKeyUpsert | IGNORABLE;
  return machine.apply(index, command(type, signingKeyUpsertRequest, request));
}

function remove(machine: StateMachine, index: number, ...KeyIDs: string[]): string {
  const request = structOf(signingKeyDeleteRequest, { KeyIDs });
  const type = signingKeyDelete | IGNORABLE;
  return machine.apply(index, command(type, signingKeyDeleteRequest, request));
}

const states = (machine: StateMachine): string[] =>
  machine.signingKeys.all().map(({ KeyID, State }) => `${KeyID} ${State}`);

test("one that takes over makes the one before inactive, and says since when", () => {
  const machine = new StateMachine();
  put(machine, 3, keyOf("a"));
  put(machine, 4, keyOf("b", { State: "prepublished", PublishTime: 9n }));
  expect(states(machine)).toEqual(["a active", "b prepublished"]);
  expect(machine.signingKeys.active?.KeyID).toBe("a");
  put(machine, 5, { ...keyOf("b"), PublishTime: 9n, Sealed: new Uint8Array(1) }, 77n);
  expect(states(machine)).toEqual(["a inactive", "b active"]);
  expect(machine.signingKeys.get("a")).toMatchObject({ RetiredTime: 77n, ModifyIndex: 5n });
  // What it is does not change by taking over.
  expect(machine.signingKeys.get("b")?.Sealed?.length).toBe(72);
  expect(machine.signingKeys.get("b")).toMatchObject({ CreateIndex: 4n, ModifyIndex: 5n });
  expect(machine.signingKeys.index).toBe(5);
});

test("the active one is never deleted, and half a key is none", () => {
  const machine = new StateMachine();
  put(machine, 3, keyOf("a"));
  put(machine, 4, keyOf("b"));
  expect(remove(machine, 5, "b")).toBe("skipped");
  expect(remove(machine, 6, "a", "nobody")).toBe("applied");
  expect(states(machine)).toEqual(["b active"]);
  expect(put(machine, 7, keyOf("c", { Sealed: null }))).toBe("skipped");
  expect(put(machine, 8, keyOf(""))).toBe("skipped");
  expect(states(machine)).toEqual(["b active"]);
});

test("keys that are made in a loop do not fill the state", () => {
  const machine = new StateMachine();
  for (let i = 1; i <= 200; i++) put(machine, i, keyOf(`k${i}`));
  expect(machine.signingKeys.all().length).toBe(64);
  expect(machine.signingKeys.active?.KeyID).toBe("k200");
  expect(machine.signingKeys.get("k136")).toBeUndefined();
  expect(machine.signingKeys.get("k137")).toBeDefined();
});

test("is written only where every server of the group would keep it", () => {
  for (const type of [signingKeyUpsert, signingKeyDelete]) {
    expect(commandFormat(Uint8Array.of(type | IGNORABLE, 0x80))).toBe(2);
  }
});

describe("an image", () => {
  test("has them, and the same come out of it", () => {
    const machine = new StateMachine();
    put(machine, 3, keyOf("a"));
    put(machine, 4, keyOf("b"), 12n);
    const again = new StateMachine();
    expect(again.restore(machine.snapshot(), 4)).toBe(true);
    expect(again.signingKeys.all()).toEqual(machine.signingKeys.all());
    expect(again.signingKeys.index).toBe(4);
    expect(again.snapshot()).toEqual(machine.snapshot());
  });

  test("without keys is what the first release reads; with some it refuses rather than lose them", () => {
    const version = (machine: StateMachine): number | undefined => {
      const bytes = machine.snapshot();
      const text = new TextDecoder("latin1").decode(bytes);
      return bytes[text.indexOf("Version") + "Version".length];
    };
    const machine = new StateMachine();
    expect(version(machine)).toBe(1);
    put(machine, 3, keyOf("a"));
    expect(version(machine)).toBe(2);
  });

  test("of before there were keys is read, and there are none then", () => {
    const machine = new StateMachine();
    const old = new StateMachine().snapshot();
    put(machine, 3, keyOf("a"));
    expect(machine.restore(old, 9)).toBe(true);
    expect(machine.signingKeys.all()).toEqual([]);
    expect(machine.signingKeys.index).toBe(1);
  });

  test("that an operator restores leaves what signs now, and believes what the archive's key signed", () => {
    const archive = new StateMachine();
    put(archive, 3, keyOf("old"));
    const machine = new StateMachine();
    put(machine, 30, keyOf("new"));
    expect(machine.apply(31, restoreCommand(archive.snapshot()))).toBe("applied");
    expect(states(machine)).toEqual(["old inactive", "new active"]);
    const fresh = new StateMachine();
    fresh.apply(2, restoreCommand(archive.snapshot()));
    expect(states(fresh)).toEqual(["old active"]);
    expect(fresh.signingKeys.active).toMatchObject({ CreateIndex: 2n, ModifyIndex: 2n });
    // One that has none takes none away.
    machine.apply(32, restoreCommand(new StateMachine().snapshot()));
    expect(states(machine)).toEqual(["old inactive", "new active"]);
  });
});
