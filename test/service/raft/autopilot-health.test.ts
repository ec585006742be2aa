/** The group's health, as a real Nomad reads it. */
import { expect, test } from "bun:test";
import {
  healthOf,
  healthReply,
  type ServerState,
} from "../../../src/service/raft/autopilot-health.ts";
import { decodeValue, encodeValue } from "../../../src/wire/codec.ts";
import { goCodec } from "../../wire/go-schema.ts";

const server = (id: string, more: Partial<ServerState> = {}): ServerState => ({
  id,
  name: `${id}.global`,
  address: "127.0.0.1:4647",
  status: "alive",
  version: "2.0.5",
  leader: id === "a",
  voter: true,
  healthy: true,
  lastContactMs: 12.5,
  lastTerm: 3n,
  lastIndex: 40n,
  stableSinceMs: Date.UTC(2026, 10, 25, 9, 3, 6, 700),
  ...more,
});

test("healthy voters beyond a quorum may fail; one that is unwell makes the whole unwell", () => {
  expect(healthOf([])).toMatchObject({ Healthy: false, FailureTolerance: 0 });
  expect(healthOf([server("a")])).toMatchObject({ Healthy: true, FailureTolerance: 0 });
  const five = ["a", "b", "c", "d", "e"].map((id) => server(id));
  expect(healthOf(five)).toMatchObject({ Healthy: true, FailureTolerance: 2, Leader: "a" });
  const ill = [...five.slice(0, 4), server("e", { healthy: false, status: "failed" })];
  expect(healthOf(ill)).toMatchObject({ Healthy: false, FailureTolerance: 1 });
  const joining = [...five.slice(0, 3), server("d", { voter: false })];
  expect(healthOf(joining)).toMatchObject({ FailureTolerance: 1, Voters: ["a", "b", "c"] });
});

test("Nomad's own type reads it and writes the same bytes", () => {
  const bytes = encodeValue(healthReply, healthOf([server("a"), server("b", { voter: false })]));
  const theirs = goCodec("structs.OperatorHealthReply");
  const read = decodeValue(theirs, bytes);
  expect(encodeValue(theirs, read).toHex()).toBe(bytes.toHex());
  const never = healthOf([server("a", { lastContactMs: undefined })]).Servers ?? [];
  // Not as if it had just been heard: Nomad shows it as -1ns, and our command as never.
  expect(never[0]?.LastContact).toBe(-1n);
  expect(read.Servers[1]).toMatchObject({ LastContact: 12_500_000n, SerfStatus: 1n, Voter: false });
});
