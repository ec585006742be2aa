/** Who may take a descriptor when there are few. */
import { expect, test } from "bun:test";
import { Descriptors } from "../../src/host/descriptors.ts";

const STRANGER = Uint8Array.of(10, 0, 0, 9);
const PEER = Uint8Array.of(10, 0, 0, 2);
const OPERATOR = Uint8Array.of(127, 0, 0, 1);

function withLimit(limit: number) {
  const descriptors = new Descriptors(limit);
  let refused = 0;
  descriptors.watch({
    isPeer: (ip) => ip[3] === 2,
    refused: () => {
      refused += 1;
    },
  });
  const takeAll = (ip: Uint8Array): number => {
    for (let taken = 0; ; taken++) if (!descriptors.take(ip)) return taken;
  };
  return { descriptors, takeAll, refused: () => refused };
}

test("a share is kept for peers and this machine, and one for ourselves", () => {
  for (const [limit, all, strangers] of [
    [1024, 896, 672],
    [256, 128, 96],
    [40, 20, 15],
  ] as const) {
    const { descriptors, takeAll, refused } = withLimit(limit);
    expect(takeAll(STRANGER)).toBe(strangers);
    expect(takeAll(PEER)).toBe(all - strangers);
    expect(descriptors.take(OPERATOR)).toBe(false);
    descriptors.release();
    expect(takeAll(STRANGER)).toBe(0);
    expect(takeAll(OPERATOR)).toBe(1);
    expect([refused(), descriptors.refused, descriptors.connections]).toEqual([5, 5, all]);
  }
});

test("a limit that is not known is none", () => {
  const { descriptors } = withLimit(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 5000; i++) expect(descriptors.take(STRANGER)).toBe(true);
});
