/**
 * HCL parsing in a process of its own: the parser's 35 MB go away with it, an agent that reads its
 * files again goes on meanwhile, and the runtime can be told that the code in it runs only once.
 *
 * @module
 */
import { type ParserAnswer, parseInProcess } from "../config/hcl-parser.ts";
import { isObject } from "../config/tree.ts";
import { PARSE_HCL } from "./hcl-child-name.ts";

const TIMEOUT_MS = 30_000;

/** One process for all of them; in this one where no other can be started. */
export async function parseInChild(texts: readonly string[]): Promise<readonly ParserAnswer[]> {
  // From sources, the executable is the runtime and not us.
  const compiled = Bun.main.startsWith("/$bunfs/");
  const answers = compiled && texts.length > 0 ? await askChild(texts) : undefined;
  return answers ?? texts.map(parseInProcess);
}

/** What the child does: a list of texts comes in, a list of answers goes out. */
export async function parseForParent(input: () => Promise<string>): Promise<string> {
  // Loads the package, which takes longest, while the parent still reads its files.
  parseInProcess("");
  const text = await input();
  const texts: unknown = text === "" ? [] : JSON.parse(text);
  if (!Array.isArray(texts)) throw new Error("the parent sent no list");
  return JSON.stringify(texts.map((text) => parseInProcess(String(text))));
}

type Child = Bun.Subprocess<"pipe", "pipe", "ignore">;

/** One that was started before anybody had something to ask. */
let early: Child | undefined;

/** So that it loads while its parent does, too. */
export function startEarly(): void {
  try {
    early = startChild();
  } catch {
    // Whoever asks tries again.
  }
}

function startChild(): Child {
  return Bun.spawn([process.execPath, PARSE_HCL], {
    // Compiling the package's code any better takes twice as long as running it once.
    env: { ...process.env, BUN_JSC_useDFGJIT: "0" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
    timeout: TIMEOUT_MS,
  });
}

/** undefined: it cannot be started, or does not answer as it should. */
async function askChild(texts: readonly string[]): Promise<readonly ParserAnswer[] | undefined> {
  try {
    const child = early ?? startChild();
    early = undefined;
    child.stdin.write(JSON.stringify(texts));
    await child.stdin.end();
    const answers: unknown = JSON.parse(await new Response(child.stdout).text());
    if ((await child.exited) !== 0 || !Array.isArray(answers)) return undefined;
    return answers.length === texts.length ? answers.map(answerOf) : undefined;
  } catch {
    return undefined;
  }
}

function answerOf(value: unknown): ParserAnswer {
  const { json, error } = isObject(value) ? value : {};
  return {
    json: typeof json === "string" ? json : undefined,
    error: typeof error === "string" ? error : "",
  };
}
