/** Binaries of other releases, for tests of an upgrade. */
import { join } from "node:path";
import { build } from "../../build/build.ts";

/**
 * This source as a release that reads the first format only (src/state/format.ts), and has another
 * version: what a clone without history can make, too.
 */
export async function olderBinary(folder: string): Promise<string> {
  const outfile = join(folder, "older", "nomad");
  await build(outfile, { defines: { AGENT_VERSION: "0.0.9", AGENT_STATE_FORMAT: 1 } });
  return outfile;
}
