/**
 * SQLite's write-ahead file (sqlite.org/fileformat2.html §4), as far as one has to look into it to
 * tell damage from a torn write: SQLite itself reads up to the first frame that is not whole, and
 * takes that for the end.
 *
 * @module
 */

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The lowest bit says in which byte order its checksums are. */
const MAGIC = 0x377f_0682;

type Sums = readonly [number, number];

/**
 * Every commit is on the disk before the next is written. So where two of them or more end behind
 * the last one that SQLite reads, at least one is damaged that was whole: a write that was torn
 * when the power went is the only one there.
 */
export function hasCommitsBehindDamage(file: Uint8Array): boolean {
  if (file.length < HEADER_BYTES) return false;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = view.getUint32(0);
  if ((magic & ~1) !== MAGIC) return false;
  const littleEndian = magic === MAGIC;
  const add = (sums: Sums, at: number, end: number): Sums => {
    return addUp(view, sums, at, end, littleEndian);
  };
  let sums = add([0, 0], 0, 24);
  let whole = isSame(view, 24, sums);
  let behind = 0;
  const bytes = FRAME_HEADER_BYTES + view.getUint32(8);
  for (let at = HEADER_BYTES; at + bytes <= file.length; at += bytes) {
    // Frames of an earlier round have other salts.
    const ours = view.getBigUint64(at + 8) === view.getBigUint64(16);
    if (whole && ours) sums = add(add(sums, at, at + 8), at + FRAME_HEADER_BYTES, at + bytes);
    whole &&= ours && isSame(view, at + 16, sums);
    const endsCommit = view.getUint32(at + 4) !== 0;
    if (!whole && ours && endsCommit) behind += 1;
  }
  return behind > 1;
}

/** §4.2: pairs of 32-bit words. */
function addUp(view: DataView, sums: Sums, at: number, end: number, littleEndian: boolean): Sums {
  let [one, other] = sums;
  for (let word = at; word < end; word += 8) {
    one = (one + view.getUint32(word, littleEndian) + other) >>> 0;
    other = (other + view.getUint32(word + 4, littleEndian) + one) >>> 0;
  }
  return [one, other];
}

function isSame(view: DataView, at: number, [one, other]: Sums): boolean {
  return view.getUint32(at) === one && view.getUint32(at + 4) === other;
}
