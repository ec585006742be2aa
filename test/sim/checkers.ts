/** Invariants, one method each; each violation is one sentence. */
import type { SerfAction } from "../../src/protocol/serf/action.ts";
import { NOMAD_SERF } from "../../src/protocol/serf/config.ts";
import type { SerfNode } from "./machines.ts";
import type { SimNode, World } from "./world.ts";

const VIOLATIONS_MAX = 10;

export class Checkers {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #machines: ReadonlyMap<SimNode, SerfNode>;
  /** Highest incarnation that an observer has seen of a subject: `observer/subject`. */
  readonly #incarnations = new Map<string, number>();
  /** Subjects that an observer knows as left. */
  readonly #left = new Set<string>();
  constructor(world: World, machines: ReadonlyMap<SimNode, SerfNode>) {
    this.#world = world;
    this.#machines = machines;
  }

  /** A fresh process has seen nothing yet. */
  restarted(node: SimNode): void {
    const own = `${node.name}/`;
    for (const key of this.#incarnations.keys()) {
      if (key.startsWith(own)) this.#incarnations.delete(key);
    }
    for (const key of this.#left) if (key.startsWith(own)) this.#left.delete(key);
  }

  /** A left member never returns as failed: only a join brings it back. */
  action(node: SimNode, action: SerfAction): void {
    if (action.kind !== "event" || !("member" in action.event)) return;
    const { kind, member } = action.event;
    const key = `${node.name}/${member.name}`;
    if (kind === "member-leave") this.#left.add(key);
    if (kind === "member-join" || kind === "member-reap") this.#left.delete(key);
    // Forgotten in between, and back: from whatever incarnation it starts with.
    if (kind === "member-join") this.#incarnations.delete(key);
    if (kind === "member-failed" && this.#left.has(key)) {
      this.#violated(`${node.name} saw ${member.name} fail after it had left`);
    }
  }

  /** What must hold at any moment. */
  look(): void {
    for (const [node, { serf }] of this.#machines) {
      if (!node.up) continue;
      this.#incarnationsNeverGoBack(node, serf);
      this.#queuesStayBounded(node, serf);
      this.#ownViewIsAlive(node, serf);
    }
  }

  /** Do all who are up see exactly who is up as alive? */
  agree(): boolean {
    return this.#differences(1).length === 0;
  }

  disagreement(): void {
    for (const difference of this.#differences(5)) this.#violated(difference);
  }

  #differences(max: number): string[] {
    const found: string[] = [];
    const up = new Set(this.#world.nodes.filter((node) => node.up).map((node) => node.name));
    for (const [node, { serf }] of this.#machines) {
      if (!node.up) continue;
      let alive = 0;
      for (const member of serf.members()) {
        if (member.status === "alive" && up.has(member.name)) alive += 1;
        else if (member.status === "alive") found.push(`${node.name} sees ${member.name} alive`);
        else if (up.has(member.name)) {
          found.push(`${node.name} sees ${member.name} ${member.status} though it is up`);
        }
        if (found.length >= max) return found;
      }
      if (alive < up.size) found.push(`${node.name} sees ${alive} of ${up.size}`);
      if (found.length >= max) return found;
    }
    return found;
  }

  #incarnationsNeverGoBack(node: SimNode, serf: SerfNode["serf"]): void {
    const present = new Set<string>();
    for (const member of serf.swim.members()) {
      const key = `${node.name}/${member.name}`;
      present.add(key);
      const before = this.#incarnations.get(key) ?? 0;
      if (member.incarnation < before) {
        const change = `${before} to ${member.incarnation}`;
        this.#violated(`${node.name} saw the incarnation of ${member.name} go from ${change}`);
      }
      this.#incarnations.set(key, member.incarnation);
    }
    // Forgotten members may come back at any incarnation.
    for (const other of this.#world.nodes) {
      const key = `${node.name}/${other.name}`;
      if (!present.has(key)) this.#incarnations.delete(key);
    }
  }

  #queuesStayBounded(node: SimNode, serf: SerfNode["serf"]): void {
    const names = this.#world.nodes.length;
    const queued = serf.swim.broadcastsQueued();
    if (queued > names)
      this.#violated(`${node.name} queues ${queued} broadcasts about ${names} names`);
    for (const [name, length] of Object.entries(serf.stats())) {
      if (!name.endsWith("_queue") || Number(length) <= NOMAD_SERF.queueDepthMax) continue;
      this.#violated(`${node.name} has ${length} in ${name}`);
    }
  }

  #ownViewIsAlive(node: SimNode, serf: SerfNode["serf"]): void {
    const own = serf.member(node.name);
    if (own === undefined || own.status === "failed") {
      this.#violated(`${node.name} holds itself for ${own?.status ?? "nobody"}`);
    }
  }

  #violated(text: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    this.violations.push(`at ${Math.round(this.#world.now)} ms: ${text}`);
  }
}
