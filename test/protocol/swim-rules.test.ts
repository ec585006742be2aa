import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Deadlines } from "../../src/protocol/deadlines.ts";
import { type BroadcastHandle, Broadcasts } from "../../src/protocol/swim/broadcasts.ts";
import {
  confirmedTimeoutMs,
  pushPullWaitMs,
  retransmitLimit,
  suspicionTimeoutMs,
} from "../../src/protocol/swim/formulas.ts";
import { type Json, vectors } from "../vectors.ts";

const misc = vectors("gossip/gossip-misc.json");
const of = (fn: string): Json[] => misc.formulas.filter((one: Json) => one.fn === fn);

describe("formulas give the library's own results", () => {
  test("retransmit limit", () => {
    for (const one of of("retransmitLimit")) {
      expect(retransmitLimit(one.mult, one.nodes)).toBe(one.result);
    }
  });
  test("suspicion timeout", () => {
    for (const one of of("suspicionTimeout")) {
      const ms = suspicionTimeoutMs(one.mult, one.nodes, one.probeIntervalNs / 1e6);
      expect(ms * 1e6).toBeCloseTo(one.resultNs, -1);
    }
  });
  test("remaining suspicion", () => {
    for (const one of of("remainingSuspicion")) {
      const { confirmations, k, minMs, maxMs, elapsedMs, resultNs } = one;
      const left = confirmedTimeoutMs(confirmations, k, minMs, maxMs) - elapsedMs;
      expect(left * 1e6).toBe(resultNs);
    }
  });
  test("push/pull interval", () => {
    for (const one of of("pushPullInterval")) {
      expect(pushPullWaitMs(one.baseMs, one.nodes)).toBe(one.resultMs);
    }
  });
});

describe("broadcast queue", () => {
  for (const run of misc.queue) {
    test(`${run.name}: ${run.about}`, () => {
      const queue = new Broadcasts<string>({
        mult: run.retransmitMult,
        nodes: () => run.nodes,
        sizeOf: (message) => message.length,
      });
      const handles: { message: string; handle: BroadcastHandle; reported: boolean }[] = [];
      for (const step of run.steps) {
        if (step.op === "queue") {
          const name = step.kind === "named" ? step.name : undefined;
          handles.push({
            message: step.message,
            handle: queue.queue(step.message, name),
            reported: false,
          });
        } else if (step.op === "get") {
          expect(queue.take(step.overhead, step.limit)).toEqual(step.result);
        } else {
          queue.prune(step.maxRetain ?? step.retain ?? step.max);
        }
        const finished: string[] = [];
        for (const one of handles) {
          if (one.handle.finished && !one.reported) finished.push(one.message);
          one.reported = one.handle.finished;
        }
        expect(finished.sort()).toEqual([...step.finished].sort());
        expect(queue.length).toBe(step.queued);
      }
    });
  }
});

describe("Deadlines", () => {
  test("come due in order of time, whatever the operations before", () => {
    const operation = fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e", "f", "g"),
      at: fc.option(fc.integer({ min: 0, max: 50 })),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const deadlines = new Deadlines();
        const model = new Map<string, number>();
        for (const { key, at } of operations) {
          if (at === null) {
            deadlines.clear(key);
            model.delete(key);
          } else {
            deadlines.set(key, at);
            model.set(key, at);
          }
          const next = model.size === 0 ? undefined : Math.min(...model.values());
          expect(deadlines.next()).toBe(next);
        }
        const due: number[] = [];
        for (let key = deadlines.due(25); key !== undefined; key = deadlines.due(25)) {
          due.push(model.get(key) ?? -1);
        }
        const expected = [...model.values()].filter((at) => at <= 25).sort((a, b) => a - b);
        expect(due).toEqual(expected);
      }),
    );
  });
});
