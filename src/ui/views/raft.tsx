/** The servers' group: who votes, who leads, how far each is. */
import type { Health } from "../answers.ts";
import { counted } from "../format.ts";
import { rates } from "../history.ts";
import { useLive } from "../live.ts";
import { Badge, Command, Facts, Missing, Panel, Time } from "../parts/basics.tsx";
import { Chart } from "../parts/chart.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { health, raft, status } from "../store.ts";

type Row = Health["Servers"][number];

const COLUMNS: readonly Column<Row>[] = [
  { name: "Name", text: (one) => one.Name },
  { name: "Role", text: (one) => (one.Leader ? "leader" : one.Voter ? "voter" : "no vote") },
  {
    name: "Health",
    text: (one) => (one.Healthy ? "healthy" : "not healthy"),
    show: (one) => (
      <Badge tone={one.Healthy ? "good" : "bad"}>{one.Healthy ? "healthy" : "not healthy"}</Badge>
    ),
  },
  { name: "Last contact", text: (one) => one.LastContact, isMinor: true },
  { name: "Term", text: (one) => String(one.LastTerm), isMinor: true },
  { name: "Index", text: (one) => String(one.LastIndex) },
  {
    name: "Stable since",
    text: (one) => one.StableSince,
    show: (one) => <Time at={one.StableSince} />,
    isMinor: true,
  },
];

export function RaftView() {
  const now = useLive(status);
  const well = useLive(health);
  const group = useLive(raft);
  if (now === undefined) return <Missing problem={status.problem.value} what="Raft" />;
  // What stands below would jump when it comes.
  if (well === undefined && health.problem.value === "") return <Missing problem="" what="Raft" />;
  const { raft: own } = now;
  return (
    <>
      <h1>Raft and autopilot</h1>
      {well === undefined ? (
        <Missing problem={health.problem.value} what="The group's health" />
      ) : (
        <>
          <p>
            <Badge tone={well.Healthy ? "good" : "bad"}>
              {well.Healthy ? "The group is healthy" : "The group is not healthy"}
            </Badge>{" "}
            {counted(well.FailureTolerance, "server")} can be lost without an outage.
          </p>
          <Table
            title="Servers of the group"
            word="server"
            rows={well.Servers}
            columns={COLUMNS}
            keyOf={(one) => one.ID}
          />
        </>
      )}
      <div class="panels">
        {own.enabled ? (
          <Panel title="This server">
            <Facts
              of={[
                ["Role", own.role ?? ""],
                ["Leader", own.leader || "none"],
                ["Term", String(own.term ?? "")],
                ["Committed", String(own.commit_index ?? "")],
                ["Applied", String(own.applied_index ?? "")],
                ["Voters", `${own.voters ?? 0}, and ${own.non_voters ?? 0} without a vote`],
              ]}
            />
            <Chart title="Commits a second" values={rates("commits")} />
          </Panel>
        ) : null}
        <Panel title="Configuration">
          {group === undefined ? (
            <Missing problem={raft.problem.value} what="The configuration" />
          ) : (
            <ul>
              {group.Servers.map((one) => (
                <li key={one.ID}>
                  {one.Node} <code>{one.Address}</code> {one.Voter ? "votes" : "has no vote"}
                  {one.Leader ? ", leads" : ""}
                </li>
              ))}
            </ul>
          )}
          <Command text="nomad operator raft list-peers" />
        </Panel>
      </div>
    </>
  );
}
