/** Answers a shell that completes a line; never with an error, which would stand in that line. */
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import { type Wanted, wantedAt, wordsOf } from "./completion.ts";
import { listField, textField } from "./json-read.ts";
import { print } from "./output.ts";
import { createProgram } from "./program.ts";

/** Whoever presses a key waits for no agent longer than this. */
const PATIENCE_MS = 1000;

/**
 * @param line what is typed so far (COMP_LINE), up to the cursor (COMP_POINT, in bytes)
 * @param word the part of it that the shell replaces; undefined: the last word
 */
export async function completeLine(
  line: string,
  point: string | undefined,
  word: string | undefined,
): Promise<void> {
  const bytes = new TextEncoder().encode(line);
  const typed = new TextDecoder().decode(bytes.subarray(0, Number(point ?? bytes.length)));
  const [, ...words] = wordsOf(typed);
  const found = await wordsFor(wantedAt(createProgram(), words)).catch(() => []);
  const last = words.at(-1) ?? "";
  // bash parts words at "=", too, and replaces only what is behind it.
  const kept = word !== undefined && last.endsWith(word) ? last.length - word.length : 0;
  if (found.length > 0) print(found.map((one) => one.slice(kept)).join("\n"));
}

async function wordsFor(wanted: Wanted): Promise<readonly string[]> {
  if (wanted.kind === "words") return wanted.words;
  const { name, prefix } = wanted;
  const read = ARGUMENTS[name];
  if (read === undefined) return []; // The shell has files.
  const client = new ApiClient({}, process.env);
  const stop = AbortSignal.timeout(PATIENCE_MS);
  const late = new Promise<readonly string[]>((resolve) => {
    stop.addEventListener("abort", () => resolve([]));
  });
  const found = await Promise.race([read(client, prefix), late]);
  return found.filter((one) => one.startsWith(prefix)).sort();
}

type Reader = (client: ApiClient, prefix: string) => Promise<readonly string[]>;

/** What there is, by the names of arguments in the table. */
const ARGUMENTS: Readonly<Record<string, Reader>> = {
  id: async (client, prefix) => {
    const path = `${PATHS.nodes}?prefix=${encodeURIComponent(prefix)}`;
    return namesIn(await client.get(path, { quiet: true }), "ID");
  },
  "node-pool": async (client, prefix) => {
    const path = `${PATHS.nodePools}?prefix=${encodeURIComponent(prefix)}`;
    return namesIn(await client.get(path, { quiet: true }), "Name");
  },
  namespace: async (client, prefix) => {
    const path = `${PATHS.namespaces}?prefix=${encodeURIComponent(prefix)}`;
    return namesIn(await client.get(path, { quiet: true }), "Name");
  },
  node: async (client) => {
    const members = await client.get(PATHS.agentMembers, { quiet: true });
    return listField(members, "Members").map((one) => textField(one, "Name"));
  },
};

function namesIn(answer: unknown, name: string): readonly string[] {
  return listField({ all: answer }, "all").map((one) => textField(one, name));
}
