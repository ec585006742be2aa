/**
 * Loopback addresses of this run of the tests: 127.N.x.y, with an N that no other run has. So the
 * ports can be Nomad's own, and neither an agent on this machine nor another copy of the tests is in
 * the way.
 *
 * @module
 */
const GUARD_PORT = 47_999;
const [FIRST, LAST] = [16, 126];

/** The first two numbers, `127.N`: taken once, and kept until the process ends. */
export const NET: string = process.env.TEST_NET ?? take();

/** `x.y` in this run's network, as the four bytes of an address. */
export function ipOf(rest: string): Uint8Array {
  return Uint8Array.from(`${NET}.${rest}`.split("."), Number);
}

function take(): string {
  const candidates = Array.from({ length: LAST - FIRST }, (_, i) => `127.${FIRST + i}`);
  const net = candidates.find(isFree);
  if (net === undefined) throw new Error("no loopback addresses are free for this run");
  // The other test files of this process see it, too, and so do its children.
  process.env.TEST_NET = net;
  return net;
}

function isFree(net: string): boolean {
  try {
    const socket = { data: () => undefined };
    Bun.listen({ hostname: `${net}.255.254`, port: GUARD_PORT, socket }).unref();
    return true;
  } catch {
    return false;
  }
}
