/** The servers, as gossip and this agent see them. */
import type { InspectedPeer, KeyHolder, Status, StatusMember } from "../answers.ts";
import { daysText } from "../format.ts";
import { rates, refusalsOf } from "../history.ts";
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
import { Chart } from "../parts/chart.tsx";
import { Log } from "../parts/log.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { pathOf } from "../route.ts";
import { encryption, health, members, status } from "../store.ts";
import { Charts } from "./overview.tsx";

export interface Server extends StatusMember {
  readonly looked: InspectedPeer | undefined;
  readonly holder: KeyHolder | undefined;
  readonly isLeader: boolean;
}

/** All that is known of each. */
export function useServers(): readonly Server[] | undefined {
  const now = useLive(status);
  const looked = useLive(encryption);
  if (now === undefined) return undefined;
  const leader = now.raft.leader ?? "";
  return now.members.list.map((member) => {
    const found = looked?.peers.find((one) => one.name === member.name);
    return {
      ...member,
      looked: found,
      holder: looked?.gossip.members.find((one) => one.name === member.name),
      isLeader: leader !== "" && found?.address === leader,
    };
  });
}

function Protection({ looked }: { looked: InspectedPeer | undefined }) {
  if (looked === undefined) return <Badge tone="none">not looked at</Badge>;
  if (!looked.reachable) return <Badge tone="bad">unreachable</Badge>;
  if (looked.tls_version === "") return <Badge tone="bad">clear</Badge>;
  if (looked.accepts_clear) return <Badge tone="warn">{looked.tls_version}, or clear</Badge>;
  return <Badge tone="good">{looked.tls_version}</Badge>;
}

const protection = (one: InspectedPeer | undefined): string =>
  one === undefined ? "" : one.reachable ? one.tls_version || "clear" : "unreachable";

const COLUMNS: readonly Column<Server>[] = [
  {
    name: "Name",
    text: ({ name }) => name,
    show: ({ name, isLeader }) => (
      <>
        <Link to={pathOf("servers", name)}>{name}</Link>
        {isLeader ? " (leader)" : ""}
      </>
    ),
  },
  {
    name: "State",
    text: (one) => one.status,
    show: (one) => <Badge tone={toneOfState(one.status)}>{one.status}</Badge>,
  },
  {
    name: "RPC",
    text: ({ looked }) => protection(looked),
    show: ({ looked }) => <Protection looked={looked} />,
  },
  {
    name: "Certificate",
    text: ({ looked }) => String(looked?.days_left ?? ""),
    show: ({ looked }) => <Days of={looked} />,
  },
  {
    name: "Gossip key",
    text: ({ holder }) => holder?.primary ?? "",
    show: ({ holder }) => <code>{holder?.primary.slice(0, 8) ?? "–"}</code>,
    isMinor: true,
  },
  { name: "Address", text: ({ address }) => address, isMinor: true },
  { name: "Region", text: ({ region }) => region, isMinor: true },
  { name: "Datacenter", text: ({ datacenter }) => datacenter, isMinor: true },
  {
    name: "Round trip",
    text: ({ rtt_ms }) => String(rtt_ms ?? ""),
    show: ({ rtt_ms }) => (rtt_ms === null ? "–" : `${rtt_ms} ms`),
    isMinor: true,
  },
];

function Days({ of }: { of: InspectedPeer | undefined }) {
  const days = of?.days_left ?? null;
  if (days === null) return <>–</>;
  return <Badge tone={toneOfDays(days)}>{daysText(days)}</Badge>;
}

export function Servers() {
  const servers = useServers();
  if (servers === undefined) return <Missing problem={status.problem.value} what="Servers" />;
  return (
    <>
      <h1>Servers</h1>
      <Table
        title="Servers"
        word="server"
        rows={servers}
        columns={COLUMNS}
        keyOf={(one) => one.name}
      />
      <Command text="nomad server members -detailed" />
    </>
  );
}

export function ServerView({ name }: { name: string }) {
  const servers = useServers();
  const all = useLive(members);
  const now = useLive(status);
  const well = useLive(health);
  const server = servers?.find((one) => one.name === name);
  if (servers === undefined || now === undefined) {
    return <Missing problem={status.problem.value} what="The server" />;
  }
  if (server === undefined) return <p>No server is called {name}.</p>;
  const tags = all?.Members.find((one) => one.Name === name)?.Tags ?? {};
  const raft = well?.Servers.find((one) => one.Name === name);
  const isSelf = `${now.node.name}.${now.node.region}` === name;
  return (
    <>
      <h1>{name}</h1>
      <div class="panels">
        <Panel title="Encryption">
          <Facts of={encryptionFacts(server)} />
          {server.looked?.problems.map((line) => (
            <p key={line} class="problem">
              {line}
            </p>
          ))}
        </Panel>
        <Panel title="State">
          <Facts
            of={[
              [
                "Gossip",
                <Badge key="g" tone={toneOfState(server.status)}>
                  {server.status}
                </Badge>,
              ],
              ["Address", server.address],
              ["Region", server.region],
              ["Datacenter", server.datacenter],
              ["Raft", raft === undefined ? "–" : raftText(raft)],
              ["Last contact", raft?.LastContact ?? "–"],
              ["Stable since", raft === undefined ? "–" : <Time key="s" at={raft.StableSince} />],
            ]}
          />
        </Panel>
        <Panel title="Tags">
          <Facts of={Object.entries(tags)} />
        </Panel>
        {isSelf ? (
          <Panel title="Turned away since its start">
            <Refusals of={now} />
          </Panel>
        ) : null}
      </div>
      {isSelf ? <Charts /> : null}
      <Panel title="Log" wide>
        <Log query={isSelf ? "" : `server_id=${encodeURIComponent(name)}`} />
      </Panel>
    </>
  );
}

/** Each reason, with what it did over the last minutes. */
function Refusals({ of }: { of: Status }) {
  const all = refusalsOf(of);
  if (all.length === 0) return <p>Nobody.</p>;
  return (
    <>
      {all.map(([why, n]) => (
        <Chart
          key={why}
          title={`${why}, ${n.toLocaleString("en")} in all; a second`}
          values={rates(why)}
        />
      ))}
    </>
  );
}

function raftText({
  Leader,
  Voter,
  Healthy,
}: {
  Leader: boolean;
  Voter: boolean;
  Healthy: boolean;
}) {
  const role = Leader ? "leader" : Voter ? "voter" : "without a vote";
  return `${role}, ${Healthy ? "healthy" : "not healthy"}`;
}

function encryptionFacts({ looked, holder }: Server): Parameters<typeof Facts>[0]["of"] {
  return [
    ["RPC", <Protection key="p" looked={looked} />],
    ["Cipher", looked?.cipher || "–"],
    ["Certificate", <Days key="d" of={looked} />],
    ["Until", looked === undefined ? "–" : <Time key="t" at={looked.not_after} />],
    ["Names", looked?.names.join(", ") || "–"],
    ["Issuer", looked?.issuer || "–"],
    ["Gossip key", <code key="k">{holder?.primary ?? "–"}</code>],
    ["Keys installed", holder === undefined ? "–" : String(holder.keys.length)],
  ];
}
