/**
 * A new gossip key in the old one's place, in the steps that lose no message: every member learns
 * it, every member uses it, every member forgets the old ones.
 *
 * @module
 */
import { signal } from "@preact/signals";
import type { KeyList } from "./answers.ts";
import { ask, askJson, errorText } from "./ask.ts";
import { counted } from "./format.ts";
import { changed } from "./store.ts";

const KEYRING = "/v1/agent/keyring";
/** A query waits for members that say nothing. */
const QUERY_MS = 60_000;

interface Step {
  readonly text: string;
  readonly state: "done" | "running" | "failed";
  readonly problem: string;
}

/** Of the rotation that runs, or ran last. */
export const steps = signal<readonly Step[]>([]);
/** Base64; for whoever must give it to servers that come later. Never stored. */
export const newKey = signal("");

export function isRunning(): boolean {
  return steps.value.some((one) => one.state === "running");
}

/** @param bits of the key, as many as the one in use has */
export async function rotate(bits: number): Promise<void> {
  steps.value = [];
  const key = crypto.getRandomValues(new Uint8Array(bits / 8)).toBase64();
  newKey.value = key;
  try {
    const before = await step("ask every member for its keys", list);
    const nodes = counted(before.NumNodes, "member");
    await step(`install the new key on ${nodes}`, () => change("install", { Key: key }));
    await step(`use it on ${nodes}`, () => change("use", { Key: key }));
    for (const { Fingerprint } of before.Keys) {
      const text = `remove ${Fingerprint.slice(0, 8)} from ${nodes}`;
      await step(text, () => change("remove", { Fingerprint }));
    }
  } catch {
    // The step says it; what is done stays, and can be done again.
  }
  changed("");
}

/** @throws as ask() */
export async function change(
  operation: "install" | "use" | "remove",
  key: { readonly Key: string } | { readonly Fingerprint: string },
): Promise<void> {
  await ask(`${KEYRING}/${operation}`, { method: "PUT", body: key, waitMs: QUERY_MS });
}

function list(): Promise<KeyList> {
  return askJson<KeyList>(`${KEYRING}/list?fingerprints=true`, { waitMs: QUERY_MS });
}

async function step<T>(text: string, run: () => Promise<T>): Promise<T> {
  const before = steps.value;
  steps.value = [...before, { text, state: "running", problem: "" }];
  try {
    const result = await run();
    steps.value = [...before, { text, state: "done", problem: "" }];
    return result;
  } catch (error) {
    steps.value = [...before, { text, state: "failed", problem: errorText(error) }];
    throw error;
  }
}
