/** The production yamux session with streams that echo, swallow or ignore: what Go's tests talk to. */
import { systemClock } from "../../src/host/clock.ts";
import type { ByteStream, StreamServer } from "../../src/host/host.ts";
import { listenSockets } from "../../src/host/network.ts";
import type { Address } from "../../src/protocol/ports.ts";
import { Mux } from "../../src/service/rpc/mux.ts";
import { acceptTls, type TlsIdentity } from "../../src/tls/handshake.ts";

export interface MuxPeer {
  readonly server: StreamServer;
  /** The last session that was accepted. */
  readonly last: () => Mux;
}

/** `identity` undefined: in the clear. */
export async function startMuxPeer(
  address: Address,
  identity: TlsIdentity | undefined,
): Promise<MuxPeer> {
  let last: Mux | undefined;
  const server = await listenSockets(address, async (plain) => {
    let stream = plain;
    if (identity !== undefined) {
      await plain.takeFirst(5000);
      const secured = await acceptTls(plain, identity, { requireClient: true, timeoutMs: 5000 });
      stream = secured.stream;
    }
    await stream.takeFirst(5000);
    last = new Mux({
      stream,
      dialer: false,
      clock: systemClock,
      onStream: (one) => void serve(one),
      onClosed: () => undefined,
    });
    last.start();
  });
  return {
    server,
    last: () => {
      if (last === undefined) throw new Error("nobody has dialled");
      return last;
    },
  };
}

async function serve(stream: ByteStream): Promise<void> {
  const kind = await stream.takeFirst(5000);
  if (kind === 0x45) echo(stream);
  else if (kind === 0x53) sink(stream);
}

function echo(stream: ByteStream): void {
  stream.listen({
    data: (bytes) => {
      if (!stream.write(bytes)) stream.pause();
    },
    ended: () => stream.end(),
    closed: () => undefined,
    drained: () => stream.resume(),
  });
}

/** Counts what comes and says so at the end, in eight bytes. */
function sink(stream: ByteStream): void {
  let count = 0n;
  stream.listen({
    data: (bytes) => {
      count += BigInt(bytes.length);
    },
    ended: () => {
      const answer = new Uint8Array(8);
      new DataView(answer.buffer).setBigUint64(0, count);
      stream.write(answer);
      stream.end();
    },
    closed: () => undefined,
  });
}
