/** The client nodes. */
import type { Node, NodeStub } from "../answers.ts";
import { daysText, inOrder } from "../format.ts";
import { useLive } from "../live.ts";
import {
  Badge,
  Command,
  Facts,
  Link,
  Missing,
  Panel,
  Time,
  toneOfDays,
  toneOfState,
} from "../parts/basics.tsx";
import { Log } from "../parts/log.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { pathOf } from "../route.ts";
import { clearNodes, node, nodes } from "../store.ts";

const COLUMNS: readonly Column<NodeStub>[] = [
  {
    name: "Name",
    text: (one) => one.Name,
    show: (one) => <Link to={pathOf("clients", one.ID)}>{one.Name}</Link>,
  },
  {
    name: "State",
    text: (one) => one.Status,
    show: (one) => <Badge tone={toneOfState(one.Status)}>{one.Status}</Badge>,
  },
  {
    name: "RPC",
    text: (one) => (isClear(one) ? "clear" : "TLS"),
    show: (one) =>
      isClear(one) ? <Badge tone="bad">clear</Badge> : <Badge tone="good">TLS</Badge>,
  },
  {
    name: "Eligibility",
    text: (one) => (one.Drain ? "draining" : one.SchedulingEligibility),
    isMinor: true,
  },
  { name: "ID", text: (one) => one.ID, show: (one) => <code>{one.ID.slice(0, 8)}</code> },
  { name: "Address", text: (one) => one.Address, isMinor: true },
  { name: "Pool", text: (one) => one.NodePool, isMinor: true },
  { name: "Class", text: (one) => one.NodeClass, isMinor: true },
  { name: "Datacenter", text: (one) => one.Datacenter, isMinor: true },
  { name: "Version", text: (one) => one.Version, isMinor: true },
];

function isClear({ ID }: NodeStub): boolean {
  return clearNodes.value.value?.some((one) => one.ID === ID) === true;
}

export function Clients() {
  const list = useLive(nodes);
  const clear = useLive(clearNodes);
  if (list === undefined) return <Missing problem={nodes.problem.value} what="Clients" />;
  return (
    <>
      <h1>Clients</h1>
      <Table
        key={clear?.length}
        title="Client nodes"
        word="client"
        rows={list}
        columns={COLUMNS}
        keyOf={(one) => one.ID}
      />
      <Command text="nomad node status" />
    </>
  );
}

export function ClientView({ id }: { id: string }) {
  const live = node(id);
  const one = useLive(live);
  if (one === undefined) return <Missing problem={live.problem.value} what="The client" />;
  const attributes = Object.entries(one.Attributes).sort(([a], [b]) => inOrder(a, b));
  const meta = Object.entries(one.Meta ?? {}).sort(([a], [b]) => inOrder(a, b));
  return (
    <>
      <h1>{one.Name}</h1>
      <div class="panels">
        <Panel title="State">
          <Facts of={stateFacts(one)} />
          <Command text={`nomad node status ${one.ID.slice(0, 8)}`} />
        </Panel>
        <Panel title="Encryption">
          <Facts of={encryptionFacts(one)} />
        </Panel>
        <Panel title="Events">
          <ol class="events">
            {(one.Events ?? []).toReversed().map((event) => (
              <li key={`${event.Timestamp} ${event.Message}`}>
                <Time at={event.Timestamp} /> {event.Subsystem}: {event.Message}
              </li>
            ))}
          </ol>
        </Panel>
        {meta.length === 0 ? null : (
          <Panel title="Meta">
            <Facts of={meta} />
          </Panel>
        )}
        <Panel title="Attributes" wide>
          <Facts of={attributes} />
        </Panel>
      </div>
      <Panel title="Log" wide>
        <Log query={`node_id=${encodeURIComponent(one.ID)}`} />
      </Panel>
    </>
  );
}

function stateFacts(one: Node): Parameters<typeof Facts>[0]["of"] {
  return [
    [
      "Status",
      <Badge key="s" tone={toneOfState(one.Status)}>
        {one.Status}
      </Badge>,
    ],
    ["Since", <Time key="t" at={one.StatusUpdatedAt * 1000} />],
    ["ID", <code key="i">{one.ID}</code>],
    ["HTTP", `${one.TLSEnabled ? "https" : "http"}://${one.HTTPAddr}`],
    ["Eligibility", one.Drain ? "draining" : one.SchedulingEligibility],
    ["Pool", one.NodePool],
    ["Class", one.NodeClass || "–"],
    ["Datacenter", one.Datacenter],
  ];
}

function encryptionFacts({ Attributes }: Node): Parameters<typeof Facts>[0]["of"] {
  const of = (name: string): string => Attributes[name] ?? "";
  const isSafe = of("encryption.rpc") === "true";
  const left = of("unique.encryption.certificate_days_left");
  return [
    [
      "RPC",
      <Badge key="r" tone={isSafe ? "good" : "bad"}>
        {isSafe ? "TLS" : "clear"}
      </Badge>,
    ],
    ["At least", of("encryption.rpc.min_version") || "–"],
    [
      "Servers must prove their name",
      of("encryption.rpc.verify_server_hostname") === "true" ? "yes" : "no",
    ],
    [
      "Certificate",
      left === "" ? (
        "–"
      ) : (
        <Badge key="c" tone={toneOfDays(Number(left))}>
          {daysText(Number(left))}
        </Badge>
      ),
    ],
  ];
}
