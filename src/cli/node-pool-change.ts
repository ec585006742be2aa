/** `nomad node pool apply`, `init` and `delete`: pools that operators make, change and take away. */
import type { Section } from "../config/section.ts";
import { isObject } from "../config/tree.ts";
import { PUBLIC_MODE, writeFileNew } from "../host/disk.ts";
import { errorText } from "../host/error-text.ts";
import { isThere } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { PATHS, pathTo } from "../paths.ts";
import { nanosOf } from "../wire/duration.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError, print } from "./output.ts";
import { readInput, readSpec } from "./spec-file.ts";

interface ApplyFlags extends ApiFlags {
  readonly json?: boolean;
}

/** @param path of a specification; "-" is stdin */
export async function poolApply(path: string, flags: ApplyFlags): Promise<void> {
  const source = readInput(path);
  const pool = flags.json === true ? jsonPool(source.text) : await readSpec(source, readPool);
  const client = new ApiClient(flags, process.env);
  await client.ok("PUT", PATHS.nodePools, { body: JSON.stringify(pool) }).catch((error) => {
    throw new CommandError(`Error applying node pool: ${errorText(error)}`);
  });
  print(`Successfully applied node pool ${JSON.stringify(pool["Name"] ?? "")}!`);
}

type Pool = Readonly<Record<string, unknown>>;

/** As the API has it. @throws CommandError */
function jsonPool(text: string): Pool {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new CommandError(`Failed to parse input content: ${errorText(error)}`);
  }
  if (isObject(found)) return found;
  throw new CommandError("Failed to parse input content: it is no JSON object");
}

function readPool(top: Section): Pool {
  const all = top.block("node_pool", { once: true });
  const [name, ...others] = all.names();
  if (name === undefined) {
    throw new CommandError('Failed to parse input content: there is no node_pool "NAME" { } block');
  }
  const [second] = others;
  if (second !== undefined) all.mistake(second.toLowerCase(), "is a second node pool: one a file");
  const pool = all.block(name.toLowerCase());
  const scheduler = pool.block("scheduler_config");
  const spec = {
    Name: name,
    Description: pool.text("description") ?? "",
    Meta: pool.textMap("meta") ?? null,
    NodeIdentityTTL: Number(nanosOf(pool.durationMs("node_identity_ttl") ?? 0)),
    SchedulerConfiguration: scheduler.at === undefined ? null : readScheduler(scheduler),
  };
  pool.finish();
  return spec;
}

function readScheduler(block: Section): Pool {
  const spec = {
    SchedulerAlgorithm: block.word("scheduler_algorithm", ["binpack", "spread"]) ?? "",
    MemoryOversubscriptionEnabled: block.ownBool("memory_oversubscription_enabled") ?? null,
  };
  block.finish();
  return spec;
}

/** By its whole name: nothing is deleted by a beginning. */
export async function poolDelete(name: string, flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const path = pathTo(PATHS.nodePool, { name });
  await client.ok("DELETE", path).catch((error: Error) => {
    throw new CommandError(`Error deleting node pool: ${error.message}`);
  });
  print(`Successfully deleted node pool ${JSON.stringify(name)}!`);
}

const EXAMPLES: Readonly<Record<string, readonly [file: string, text: string]>> = {
  hcl: [
    "pool.nomad.hcl",
    `node_pool "example" {
  description = "Example node pool"

  # Of use to whoever reads it.
  meta {
    environment = "prod"
    owner       = "sre"
  }

  # How long an identity of a node in this pool is good for; it is renewed before.
  # node_identity_ttl = "24h"

  # Nothing is scheduled by this agent: kept and shown, for clusters of Nomad.
  # scheduler_config {
  #   scheduler_algorithm = "spread"
  # }
}
`,
  ],
  json: [
    "pool.nomad.json",
    `{
  "Name": "example",
  "Description": "Example node pool",
  "Meta": {
    "environment": "prod",
    "owner": "sre"
  }
}
`,
  ],
};

interface InitFlags {
  readonly out?: string;
  readonly quiet?: boolean;
}

/** @param name of the file; undefined: by its format */
export function poolInit(name: string | undefined, { out = "hcl", quiet }: InitFlags): void {
  const [usual, text] = EXAMPLES[out] ?? [];
  if (usual === undefined || text === undefined) {
    throw new CommandError(`-out must be hcl or json, found '${out}'`);
  }
  const file = name ?? usual;
  if (isThere(file)) throw new CommandError(`File ${JSON.stringify(file)} already exists`);
  try {
    writeFileNew(file, text, PUBLIC_MODE);
  } catch (error) {
    throw new CommandError(`Failed to write ${JSON.stringify(file)}: ${describeErrno(error)}`);
  }
  if (quiet !== true) print(`Example node pool specification written to ${file}`);
}
