/** `09 | {Algo: 0, Buf: <lzw>}` (wire/gossip.md §5.3). */
import { MessageType } from "./gossip-message.ts";
import { lzwCompress, lzwDecompress } from "./lzw.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

const FIELDS = ["Algo", "Buf"];

/** Wraps a whole message, type byte and all. */
export function compress(message: Uint8Array): Uint8Array {
  const buf = lzwCompress(message);
  const out = new MsgpackWriter(buf.length + 24);
  out.byte(MessageType.compress).map(2).key("Algo").uint(0);
  return out.key("Buf").raw(buf).take();
}

/**
 * Opens the body behind the type byte.
 *
 * @param bytesMax how much it may open to
 * @returns a number if bytes are missing (streams): how many there have to be to try again; "bad" if
 *   it cannot be opened
 */
export function decompress(body: Uint8Array, bytesMax: number): Uint8Array | number | "bad" {
  let algo = 0;
  let buf: Uint8Array = new Uint8Array(0);
  const reader = new MsgpackReader(body);
  reader.struct(FIELDS, (name) => {
    if (name === "Algo") algo = reader.uint(0xff);
    else buf = reader.raw() ?? buf;
  });
  if (reader.state === "short") return reader.wanted;
  if (!reader.ok || algo !== 0) return "bad";
  return lzwDecompress(buf, bytesMax) ?? "bad";
}
