/** A file that describes a namespace, as `nomad namespace apply` takes it: HCL, or Nomad's JSON. */
import type { Section } from "../config/section.ts";
import type { SourceText } from "../config/source-text.ts";
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { CommandError } from "./output.ts";
import { readSpec } from "./spec-file.ts";

/** As the API has it. */
type Spec = Readonly<Record<string, unknown>>;

/** @throws CommandError with the mistakes and their places */
export async function namespaceSpec(source: SourceText, isJson: boolean): Promise<Spec> {
  return isJson ? fromJson(source.text) : readSpec(source, read);
}

function fromJson(text: string): Spec {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new CommandError(`Failed to parse input content: ${errorText(error)}`);
  }
  if (isObject(found)) return found;
  throw new CommandError("Failed to parse input content: it is no JSON object");
}

function read(top: Section): Spec {
  return {
    Name: top.text("name") ?? "",
    Description: top.text("description") ?? "",
    Quota: top.text("quota") ?? "",
    Meta: top.textMap("meta") ?? null,
    Capabilities: readLists(top.block("capabilities"), {
      EnabledTaskDrivers: "enabled_task_drivers",
      DisabledTaskDrivers: "disabled_task_drivers",
      EnabledNetworkModes: "enabled_network_modes",
      DisabledNetworkModes: "disabled_network_modes",
    }),
    NodePoolConfiguration: readChoice(top.block("node_pool_config")),
    VaultConfiguration: readChoice(top.block("vault")),
    ConsulConfiguration: readChoice(top.block("consul")),
  };
}

/** Which of a kind may be used in the namespace. */
function readChoice(block: Section): Spec | null {
  if (block.at === undefined) return null;
  const Default = block.text("default") ?? "";
  return { Default, ...readLists(block, { Allowed: "allowed", Denied: "denied" }) };
}

/** @param names of lists in JSON, and in the file */
function readLists(block: Section, names: Readonly<Record<string, string>>): Spec | null {
  if (block.at === undefined) return null;
  const lists = Object.entries(names).map(([name, key]) => [name, block.texts(key) ?? null]);
  block.finish();
  return Object.fromEntries(lists);
}
