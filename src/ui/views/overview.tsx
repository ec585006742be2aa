/** At a glance: is everything encrypted, and what is not. */
import type { ComponentChildren } from "preact";
import type { Encryption, NodeStub, Status } from "../answers.ts";
import { ageText, counted, daysText, daysUntil, total } from "../format.ts";
import { rates } from "../history.ts";
import { useLive } from "../live.ts";
import { Badge, Command, Link, Missing, Panel, Time, toneOfDays } from "../parts/basics.tsx";
import { Chart } from "../parts/chart.tsx";
import { pathOf } from "../route.ts";
import { clearNodes, encryption, health, nodes, status } from "../store.ts";
import { certificatesOf } from "./certificates.tsx";

export function Overview() {
  const now = useLive(status);
  const looked = useLive(encryption);
  const clear = useLive(clearNodes);
  if (now === undefined) return <Missing problem={status.problem.value} what="The status" />;
  return (
    <>
      <h1>Overview</h1>
      <Verdict status={now} encryption={looked} clear={clear ?? []} />
      <div class="tiles">
        <GroupTile status={now} />
        <MembersTile status={now} />
        <ClientsTile />
        <KeyTile status={now} />
        <CertificateTile status={now} encryption={looked} />
      </div>
      <Charts />
    </>
  );
}

interface Judged {
  readonly status: Status;
  readonly encryption: Encryption | undefined;
  readonly clear: readonly NodeStub[];
}

/** What is to be done, one line each. */
function findings({ status, encryption, clear }: Judged): readonly string[] {
  const own = status.in_clear.map(({ what, why, fix }) => `${what}: ${why}: ${fix}`);
  // The doctor looks at this agent, too, and says the same of it.
  const found = encryption === undefined ? own : [...encryption.todo];
  if (clear.length > 0) {
    const some = clear.slice(0, 3).map((one) => one.Name);
    const more = clear.length > 3 ? ` and ${clear.length - 3} more` : "";
    found.push(
      `${counted(clear.length, "client")} (${some.join(", ")}${more}) without TLS: set tls { rpc = true } there`,
    );
  }
  return [...new Set([...found, ...status.warnings])];
}

function Verdict(judged: Judged) {
  const { status, encryption: looked, clear } = judged;
  const todo = findings(judged);
  const isEncrypted = status.encrypted && looked?.encrypted !== false && clear.length === 0;
  const seen = looked === undefined ? "this agent" : counted(looked.peers.length, "server");
  return (
    <section class={`verdict ${isEncrypted ? "good" : "bad"}`} aria-live="polite">
      <h2>
        <Shield isWhole={isEncrypted} />
        {isEncrypted ? "Everything is encrypted" : "Not everything is encrypted"}
      </h2>
      <p>
        Gossip, RPC and HTTP of {seen}
        {looked === undefined && encryption.problem.value !== ""
          ? ` (the other servers cannot be looked at: ${encryption.problem.value})`
          : ""}
      </p>
      {todo.length === 0 ? null : (
        <>
          <h3>{isEncrypted ? "To be done" : "Next steps"}</h3>
          <ul>
            {todo.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      )}
      <Command text="nomad operator encryption doctor" />
    </section>
  );
}

function Shield({ isWhole }: { isWhole: boolean }) {
  return (
    <svg viewBox="0 0 32 32" class="shield" aria-hidden="true">
      <path d="M16 2 28 7v8c0 8-5 13-12 15C9 28 4 23 4 15V7Z" />
      <path class="sign" d={isWhole ? "m10 16 4.5 4.5L23 12" : "M16 9v9m0 4v1"} />
    </svg>
  );
}

function Tile(props: { title: string; to: string; children: ComponentChildren }) {
  return (
    <section class="tile">
      <h2>
        <Link to={props.to}>{props.title}</Link>
      </h2>
      {props.children}
    </section>
  );
}

function GroupTile({ status: { raft } }: { status: Status }) {
  const well = useLive(health);
  if (!raft.enabled) {
    return (
      <Tile title="Servers' group" to={pathOf("servers")}>
        <p>This agent is a client: it asks servers.</p>
      </Tile>
    );
  }
  const { leader = "", voters = 0 } = raft;
  const name = well?.Servers.find((one) => one.Leader)?.Name ?? leader;
  return (
    <Tile title="Servers' group" to={pathOf("raft")}>
      <p class="figure">{leader === "" ? <Badge tone="bad">no leader</Badge> : name}</p>
      <p>
        Leads {counted(voters, "voter")}, quorum {Math.floor(voters / 2) + 1}
        {well === undefined ? "" : `, ${counted(well.FailureTolerance, "server")} can be lost`}
      </p>
      {raft.problem === undefined || raft.problem === "" ? null : <p>{raft.problem}</p>}
    </Tile>
  );
}

function MembersTile({ status: { members } }: { status: Status }) {
  return (
    <Tile title="Servers" to={pathOf("servers")}>
      <p class="figure">{members.alive} alive</p>
      <p>
        {members.failed > 0 ? <Badge tone="bad">{members.failed} failed</Badge> : "none failed"},{" "}
        {members.left + members.leaving} left
      </p>
    </Tile>
  );
}

function ClientsTile() {
  const list = useLive(nodes);
  const counts: Record<string, number> = {};
  for (const { Status } of list ?? []) counts[Status] = (counts[Status] ?? 0) + 1;
  const { ready = 0, ...others } = counts;
  return (
    <Tile title="Clients" to={pathOf("clients")}>
      <p class="figure">{list === undefined ? "…" : `${ready} ready`}</p>
      <p>
        {total(others) === 0
          ? "none otherwise"
          : Object.entries(others)
              .map(([state, n]) => `${n} ${state}`)
              .join(", ")}
      </p>
    </Tile>
  );
}

function KeyTile({ status: { gossip } }: { status: Status }) {
  const { key = "", keys = [], cipher = "none" } = gossip;
  const since = keys.find((one) => one.primary)?.since ?? null;
  return (
    <Tile title="Gossip key" to={pathOf("keys")}>
      <p class="figure">
        {key === "" ? <Badge tone="bad">none</Badge> : <code>{key.slice(0, 8)}</code>}
      </p>
      <p>
        {cipher}, {counted(keys.length, "key")} installed
        {since === null ? "" : `, for at least ${ageText(Date.now() - Date.parse(since))}`}
      </p>
    </Tile>
  );
}

function CertificateTile(props: { status: Status; encryption: Encryption | undefined }) {
  const [first] = certificatesOf(props.status, props.encryption);
  if (first === undefined) {
    return (
      <Tile title="Certificates" to={pathOf("certificates")}>
        <p class="figure">
          <Badge tone="bad">none</Badge>
        </p>
      </Tile>
    );
  }
  const days = daysUntil(first.notAfter);
  return (
    <Tile title="First certificate to end" to={pathOf("certificates")}>
      <p class="figure">
        <Badge tone={toneOfDays(days)}>{daysText(days)}</Badge>
      </p>
      <p>
        {first.who}, <Time at={first.notAfter} />
      </p>
    </Tile>
  );
}

const CHARTS = [
  ["refused", "Refusals a second"],
  ["packets", "Gossip packets a second"],
  ["requests", "RPC requests a second"],
  ["commits", "Raft commits a second"],
] as const;

export function Charts() {
  return (
    <Panel title="This agent, the last minutes" wide>
      <div class="charts">
        {CHARTS.map(([name, title]) => (
          <Chart key={name} title={title} values={rates(name)} />
        ))}
      </div>
    </Panel>
  );
}
