/** A picture of each region: who talks to whom, and what protects it. */
import type { NodeStub } from "../answers.ts";
import { counted, inOrder } from "../format.ts";
import { useLive } from "../live.ts";
import { Link, Missing } from "../parts/basics.tsx";
import { goTo, pathOf } from "../route.ts";
import { clearNodes, nodes, status } from "../store.ts";
import { type Server, useServers } from "./servers.tsx";

type Guard = "sealed" | "clear" | "mixed" | "lost" | "unknown";

const LEGEND: Readonly<Record<Guard, string>> = {
  sealed: "TLS and the same gossip key",
  mixed: "TLS, or another gossip key",
  clear: "in the clear",
  lost: "cannot be reached",
  unknown: "not looked at yet",
};

/** Drawn one by one; more are a number. */
const CLIENTS_MAX = 120;
const [SIZE, MIDDLE] = [560, 280];

export function Topology() {
  const servers = useServers();
  const clients = useLive(nodes) ?? [];
  const clear = new Set((useLive(clearNodes) ?? []).map((one) => one.ID));
  const now = useLive(status);
  if (servers === undefined || now === undefined) {
    return <Missing problem={status.problem.value} what="The picture" />;
  }
  const regions = [...new Set(servers.map((one) => one.region))].sort(inOrder);
  return (
    <>
      <h1>Topology</h1>
      <ul class="legend">
        {Object.entries(LEGEND).map(([guard, text]) => (
          <li key={guard} class={guard}>
            <svg viewBox="0 0 30 10" aria-hidden="true">
              <line x1="1" x2="29" y1="5" y2="5" />
            </svg>{" "}
            {text}
          </li>
        ))}
      </ul>
      {regions.map((region) => (
        <Region
          key={region}
          name={region}
          servers={servers.filter((one) => one.region === region && one.status !== "left")}
          clients={region === now.node.region ? clients : []}
          clear={clear}
          primary={now.gossip.key ?? ""}
        />
      ))}
      <p class="quiet">
        Links are those that {now.node.name} sees. Lists of the same: <List />
      </p>
    </>
  );
}

function List() {
  return (
    <>
      <Link to={pathOf("servers")}>servers</Link>, <Link to={pathOf("clients")}>clients</Link>.
    </>
  );
}

interface RegionProps {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly clients: readonly NodeStub[];
  /** IDs of clients in the clear. */
  readonly clear: ReadonlySet<string>;
  /** Fingerprint of this agent's gossip key. */
  readonly primary: string;
}

function Region({ name, servers, clients, clear, primary }: RegionProps) {
  const radius = servers.length < 2 ? 0 : 110;
  const at = (i: number, count: number, r: number): readonly [number, number] => {
    const angle = (i / count) * 2 * Math.PI - Math.PI / 2;
    return [MIDDLE + r * Math.cos(angle), MIDDLE + r * Math.sin(angle)];
  };
  const shown = clients.slice(0, CLIENTS_MAX);
  const rest = clients.length - shown.length;
  return (
    <figure class="topology">
      <figcaption>
        Region {name}: {counted(servers.length, "server")}, {counted(clients.length, "client")}
        {rest > 0 ? ` (${rest} of them not drawn)` : ""}
      </figcaption>
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`}>
        <title>{`Servers and clients of the region ${name}`}</title>
        <circle class="group" cx={MIDDLE} cy={MIDDLE} r={radius + 46} />
        {shown.map((one, i) => {
          const [x, y] = at(i, shown.length, 235);
          const guard = one.Status !== "ready" ? "lost" : clear.has(one.ID) ? "clear" : "sealed";
          const [toX, toY] = at(i, shown.length, radius + 46);
          return <Spot key={one.ID} client={one} guard={guard} line={[x, y, toX, toY]} />;
        })}
        {servers.map((one, i) =>
          servers.slice(i + 1).map((other, j) => {
            const [x1, y1] = at(i, servers.length, radius);
            const [x2, y2] = at(i + 1 + j, servers.length, radius);
            const guard = worse(guardOf(one, primary), guardOf(other, primary));
            return <line key={`${one.name} ${other.name}`} {...{ x1, y1, x2, y2 }} class={guard} />;
          }),
        )}
        {servers.map((one, i) => {
          const [x, y] = at(i, servers.length, radius);
          return <Disk key={one.name} server={one} guard={guardOf(one, primary)} {...{ x, y }} />;
        })}
      </svg>
    </figure>
  );
}

/** What this agent meets when it talks to that server. */
function guardOf({ status, looked, holder }: Server, primary: string): Guard {
  if (status !== "alive" || looked?.reachable === false) return "lost";
  if (looked === undefined) return "unknown";
  if (looked.tls_version === "" || primary === "") return "clear";
  const sameKey = holder === undefined || holder.primary === primary;
  return sameKey && !looked.accepts_clear ? "sealed" : "mixed";
}

const ORDER: readonly Guard[] = ["lost", "clear", "mixed", "unknown", "sealed"];

function worse(a: Guard, b: Guard): Guard {
  return ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b;
}

function Disk(props: { server: Server; guard: Guard; x: number; y: number }) {
  const { server, guard, x, y } = props;
  const [short = server.name] = server.name.split(".");
  const { rtt_ms: rtt } = server;
  const key = server.holder?.primary.slice(0, 8) ?? "no key known";
  const said = [server.name, LEGEND[guard], server.looked?.tls_version ?? "", `key ${key}`];
  return (
    <a href={pathOf("servers", server.name)} onClick={follow}>
      <circle cx={x} cy={y} r="38" class={guard} />
      <text x={x} y={y} class="name">
        {short.length > 9 ? `${short.slice(0, 8)}…` : short}
      </text>
      <text x={x} y={y + 16} class="detail">
        {server.isLeader ? "leader" : rtt === null ? "" : `${rtt < 10 ? rtt : Math.round(rtt)} ms`}
      </text>
      <title>{said.join("\n")}</title>
    </a>
  );
}

interface SpotProps {
  readonly client: NodeStub;
  readonly guard: Guard;
  /** From the client to the servers: x, y, x, y. */
  readonly line: readonly [number, number, number, number];
}

function Spot({ client, guard, line: [x1, y1, x2, y2] }: SpotProps) {
  const said = `${client.Name}, ${client.Status}, ${LEGEND[guard]}`;
  return (
    <a href={pathOf("clients", client.ID)} onClick={follow}>
      <line {...{ x1, y1, x2, y2 }} class={guard} />
      <circle cx={x1} cy={y1} r="8" class={guard} />
      <title>{said}</title>
    </a>
  );
}

function follow(event: MouseEvent & { readonly currentTarget: EventTarget }): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  const { currentTarget } = event;
  if (!(currentTarget instanceof SVGAElement)) return;
  event.preventDefault();
  goTo(currentTarget.href.baseVal);
}
