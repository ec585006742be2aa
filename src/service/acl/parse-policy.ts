/**
 * The text of an ACL policy, HCL 1 or JSON, to what it grants, with Nomad's rules and the beginning
 * of its errors. A key that nobody knows is an error when the policy is written, also inside a
 * block, where Nomad passes over it: a `deny` that is spelt wrong would grant what it should not.
 *
 * @module
 */
import { outlineHcl } from "../../config/hcl-outline.ts";
import { looksLikeJson, parseJson } from "../../config/json.ts";
import { type Body, type Item, isFault, type Node } from "../../config/outline.ts";
import { SourceText } from "../../config/source-text.ts";
import {
  HOST_VOLUME_CAPABILITIES,
  HOST_VOLUME_SHORTHANDS,
  NAMESPACE_CAPABILITIES,
  NAMESPACE_IMPLIED,
  NAMESPACE_SHORTHANDS,
  NODE_POOL_CAPABILITIES,
  NODE_POOL_SHORTHANDS,
  OPERATOR_CAPABILITIES,
  OPERATOR_SHORTHANDS,
  SENTINEL_CAPABILITIES,
  SENTINEL_SHORTHANDS,
  type Shorthands,
  VARIABLE_CAPABILITIES,
} from "../../state/acl/capability.ts";
import {
  type NamedRules,
  type NamespaceRules,
  type PolicyRules,
  policyRules,
} from "../../state/acl/rules.ts";
import { structOf } from "../../wire/codec.ts";

const LEVELS = ["deny", "read", "write", "scale"];
const PLUGIN_LEVELS = ["deny", "read", "list", "write"];
const NAME = /^[a-zA-Z0-9-*]{1,128}$/;
const POOL_NAME = /^[a-zA-Z0-9-_*]{1,128}$/;
/** Of what an error repeats. */
const SHOWN_MAX = 64;

/** What is wrong with the text; its message is for the operator. */
class PolicyFault extends Error {
  override readonly name = "PolicyFault";
}

/**
 * @param strict it is being written: unknown keys are an error
 * @returns the rules, or what is wrong with the text
 */
export function parsePolicy(text: string, strict: boolean): PolicyRules | string {
  // As Nomad: an empty text grants nothing, and is no mistake.
  if (text === "") return structOf(policyRules, {});
  try {
    return new PolicyReader(strict, looksLikeJson(text)).read(bodyOf(text), text);
  } catch (error) {
    if (error instanceof PolicyFault) return error.message;
    throw error;
  }
}

function bodyOf(text: string): Body {
  const source = new SourceText("policy", text);
  const wrong = (message: string, at: number): PolicyFault => {
    const { line, column } = source.at(at);
    return new PolicyFault(`Failed to parse ACL Policy: At ${line}:${column}: ${message}`);
  };
  if (text.includes("\0")) throw wrong("a NUL character", text.indexOf("\0"));
  if (looksLikeJson(text)) {
    const { body, problems } = parseJson(source);
    if (body !== undefined) return body;
    const [{ message, at } = { message: "no JSON", at: undefined }] = problems;
    const where = `At ${at?.line ?? 0}:${at?.column ?? 0}`;
    throw new PolicyFault(`Failed to parse ACL Policy: ${where}: ${message}`);
  }
  const outline = outlineHcl(text);
  if (isFault(outline)) throw wrong(outline.message, outline.at);
  for (const { pieces, target } of outline.waiting) target.text = pieces.map(unescaped).join("");
  return outline.body;
}

const MEANING: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Every second piece is an escape, as HCL 2 spells it. */
function unescaped(piece: string, index: number): string {
  if (index % 2 === 0) return piece;
  const kind = piece[1] ?? "";
  if (kind !== "u" && kind !== "U") return MEANING[kind] ?? kind;
  return String.fromCodePoint(Number.parseInt(piece.slice(2), 16));
}

/** One block with its name, if it has one. */
interface Block {
  readonly name: string;
  readonly body: Body;
}

class PolicyReader {
  readonly #strict: boolean;
  readonly #isJson: boolean;

  constructor(strict: boolean, isJson: boolean) {
    this.#strict = strict;
    this.#isJson = isJson;
  }

  read(body: Body, Raw: string): PolicyRules {
    const groups = this.#groups(body, [
      ...["agent", "host_volume", "namespace", "node", "node_pool"],
      ...["operator", "plugin", "quota", "sentinel"],
    ]);
    if (groups.size === 0) throw new PolicyFault(`Invalid policy: ${shown(Raw)}`);
    const named = (key: string): readonly Block[] =>
      (groups.get(key) ?? []).flatMap((item) => this.#named(item));
    const level = (key: string, levels = LEVELS) => this.#level(key, groups.get(key), levels);
    const [operators, sentinels] = [OPERATOR_CAPABILITIES, SENTINEL_CAPABILITIES];
    return {
      Agent: level("agent"),
      ExtraKeysHCL: null,
      HostVolumes: orNull(named("host_volume").map((one) => this.#hostVolume(one))),
      Namespaces: orNull(named("namespace").map((one) => this.#namespace(one))),
      Node: level("node"),
      NodePools: orNull(named("node_pool").map((one) => this.#nodePool(one))),
      Operator: this.#capable("operator", groups.get("operator"), operators, OPERATOR_SHORTHANDS),
      Plugin: level("plugin", PLUGIN_LEVELS),
      Quota: level("quota"),
      Raw,
      Sentinel: this.#capable("sentinel", groups.get("sentinel"), sentinels, SENTINEL_SHORTHANDS),
    };
  }

  /** What stands below each key, as often as it is there. */
  #groups(body: Body, known: readonly string[], where = ""): Map<string, Item[]> {
    const groups = new Map<string, Item[]>();
    const strange: string[] = [];
    for (const item of body.items) {
      const key = item.keys[0]?.text ?? "";
      const name = known.find((one) => one === key.toLowerCase());
      if (name === undefined) {
        strange.push(`${where}${shown(key)}`);
        continue;
      }
      const group = groups.get(name) ?? [];
      group.push(item);
      groups.set(name, group);
    }
    if (strange.length > 0 && this.#strict) throw extraKeys(strange);
    return groups;
  }

  /** `namespace "x" { }`; JSON says the same with an object of names. */
  #named(item: Item): readonly Block[] {
    const [key, label] = item.keys;
    const { value } = item;
    if (value.kind !== "body") throw notABlock(key?.text ?? "");
    if (label !== undefined) return [{ name: label.text, body: value }];
    if (!this.#isJson) return [{ name: "", body: value }];
    return value.items.map((one) => {
      if (one.value.kind !== "body") throw notABlock(one.keys[0]?.text ?? "");
      return { name: one.keys[0]?.text ?? "", body: one.value };
    });
  }

  #single(key: string, items: readonly Item[] | undefined): Body | undefined {
    const last = this.#last(key, items);
    if (last === undefined) return undefined;
    if (last.value.kind !== "body" || last.keys.length > 1) throw notABlock(key);
    return last.value;
  }

  /** Twice the same is a mistake where it is written; of one that is kept, Nomad takes the last. */
  #last(key: string, items: readonly Item[] | undefined): Item | undefined {
    if (this.#strict && (items ?? []).length > 1) throw extraKeys([key]);
    return items?.at(-1);
  }

  #level(
    key: string,
    items: readonly Item[] | undefined,
    levels: readonly string[],
  ): PolicyRules["Agent"] {
    const body = this.#single(key, items);
    if (body === undefined) return null;
    const Policy = this.#text("policy", this.#groups(body, ["policy"], `${key}.`));
    if (!levels.includes(Policy)) throw new PolicyFault(`Invalid ${key} policy: ${quoted(Policy)}`);
    return { Policy };
  }

  #capable(
    key: string,
    items: readonly Item[] | undefined,
    known: readonly string[],
    shorthands: Shorthands,
  ): PolicyRules["Operator"] {
    const body = this.#single(key, items);
    if (body === undefined) return null;
    const { Policy, Capabilities } = this.#rules(key, "", body, known);
    return { Policy, Capabilities: orNull([...Capabilities, ...(shorthands[Policy] ?? [])]) };
  }

  #namespace(block: Block): NamespaceRules {
    if (!NAME.test(block.name)) {
      throw new PolicyFault(`Invalid namespace name: ${quoted(block.name)}`);
    }
    const { name: Name, body } = block;
    const known = NAMESPACE_CAPABILITIES;
    const { Policy, Capabilities, groups } = this.#rules("namespace", Name, body, known, [
      "variables",
    ]);
    const all = [...Capabilities, ...(NAMESPACE_SHORTHANDS[Policy] ?? [])];
    const implied = all.flatMap((one) => NAMESPACE_IMPLIED[one] ?? []);
    const variables = groups.get("variables");
    return {
      Name,
      Policy,
      Capabilities: orNull([...all, ...implied]),
      Variables: variables === undefined ? null : this.#variables(Name, variables),
    };
  }

  #variables(namespace: string, items: readonly Item[]): NamespaceRules["Variables"] {
    const body = this.#single("variables", items);
    const groups = this.#groups(body ?? { kind: "body", items: [], at: 0, length: 0 }, ["path"]);
    const blocks = (groups.get("path") ?? []).flatMap((item) => this.#named(item));
    if (blocks.length === 0) {
      throw new PolicyFault(`Invalid variable policy: no variable paths in namespace ${namespace}`);
    }
    return { Paths: blocks.map((one) => this.#variablePath(namespace, one)) };
  }

  #variablePath(namespace: string, { name: PathSpec, body }: Block) {
    if (PathSpec === "") {
      throw new PolicyFault(`Invalid missing variable path in namespace ${namespace}`);
    }
    if (PathSpec.startsWith("/")) {
      throw new PolicyFault(
        `Invalid variable path ${quoted(PathSpec)} in namespace ${namespace}: ` +
          "cannot start with a leading '/'",
      );
    }
    const groups = this.#groups(body, ["capabilities"], "path.");
    const all = this.#texts("capabilities", groups);
    const known: readonly string[] = VARIABLE_CAPABILITIES;
    const wrong = all.find((one) => !known.includes(one));
    if (wrong !== undefined) {
      throw new PolicyFault(
        `Invalid variable capability '${shown(wrong)}' in namespace ${namespace}`,
      );
    }
    if (all.includes("deny")) return { PathSpec, Capabilities: ["deny"] };
    const lists = all.includes("read") && !all.includes("list") ? ["list"] : [];
    return { PathSpec, Capabilities: orNull([...all, ...lists]) };
  }

  #nodePool({ name: Name, body }: Block): NamedRules {
    if (!POOL_NAME.test(Name)) throw new PolicyFault(`Invalid node pool name '${shown(Name)}'`);
    const known = NODE_POOL_CAPABILITIES;
    const { Policy, Capabilities } = this.#rules("node pool", Name, body, known);
    const all = [...Capabilities, ...(NODE_POOL_SHORTHANDS[Policy] ?? [])];
    return { Name, Policy, Capabilities: orNull(all) };
  }

  #hostVolume({ name: Name, body }: Block): NamedRules {
    if (!NAME.test(Name)) throw new PolicyFault(`Invalid host volume name: ${quoted(Name)}`);
    const known = HOST_VOLUME_CAPABILITIES;
    const { Policy, Capabilities } = this.#rules("host volume", Name, body, known);
    const all = [...Capabilities, ...(HOST_VOLUME_SHORTHANDS[Policy] ?? [])];
    return { Name, Policy, Capabilities: orNull(all) };
  }

  /** `policy` and `capabilities` of a block, each of which may be left out. */
  #rules(
    what: string,
    name: string,
    body: Body,
    known: readonly string[],
    others: readonly string[] = [],
  ): { Policy: string; Capabilities: readonly string[]; groups: Map<string, Item[]> } {
    const of = name === "" ? "" : ` for '${name}'`;
    const groups = this.#groups(body, ["policy", "capabilities", ...others], `${what}.`);
    const Policy = this.#text("policy", groups);
    if (Policy !== "" && !LEVELS.includes(Policy)) {
      throw new PolicyFault(`Invalid ${what} policy: ${quoted(Policy)}${of}`);
    }
    const Capabilities = this.#texts("capabilities", groups);
    const wrong = Capabilities.find((one) => !known.includes(one));
    if (wrong === undefined) return { Policy, Capabilities, groups };
    throw new PolicyFault(`Invalid ${what} capability '${shown(wrong)}'${of}`);
  }

  #text(key: string, groups: ReadonlyMap<string, readonly Item[]>): string {
    const value = this.#value(key, groups);
    if (value === undefined) return "";
    if (value.kind === "scalar" && value.type === "text") return value.text;
    throw new PolicyFault(`Failed to parse ACL Policy: ${key} must be a string`);
  }

  #texts(key: string, groups: ReadonlyMap<string, readonly Item[]>): readonly string[] {
    const value = this.#value(key, groups);
    if (value === undefined) return [];
    const nodes = value.kind === "list" ? value.nodes : [];
    const texts = nodes.flatMap((one) => {
      return one.kind === "scalar" && one.type === "text" ? [one.text] : [];
    });
    if (value.kind === "list" && texts.length === value.nodes.length) return texts;
    throw new PolicyFault(`Failed to parse ACL Policy: ${key} must be a list of strings`);
  }

  #value(key: string, groups: ReadonlyMap<string, readonly Item[]>): Node | undefined {
    return this.#last(key, groups.get(key))?.value;
  }
}

function extraKeys(keys: readonly string[]): PolicyFault {
  return new PolicyFault(`Invalid or duplicate policy keys: ${keys.join(", ")}`);
}

function notABlock(key: string): PolicyFault {
  return new PolicyFault(`Failed to parse ACL Policy: ${shown(key)} must be a block`);
}

function orNull<T>(all: readonly T[]): readonly T[] | null {
  return all.length === 0 ? null : [...new Set(all)];
}

function shown(text: string): string {
  const [line = ""] = text.split("\n");
  return line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)}…` : line;
}

function quoted(text: string): string {
  return JSON.stringify(shown(text));
}
