/** Every certificate that this agent sees, on one time line of their ends. */
import type { Encryption, Status } from "../answers.ts";
import { ask } from "../ask.ts";
import { daysText, daysUntil, inOrder } from "../format.ts";
import { useLive } from "../live.ts";
import { Act } from "../parts/act.tsx";
import { Badge, Command, Facts, Link, Missing, Panel, Time, toneOfDays } from "../parts/basics.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { pathOf } from "../route.ts";
import { changed, encryption, endingNodes, status } from "../store.ts";

interface Ending {
  readonly who: string;
  readonly kind: "agent" | "CA" | "server";
  readonly notAfter: string;
  readonly names: readonly string[];
}

/** What ends first stands first. */
export function certificatesOf(
  { node, rpc, http }: Status,
  looked: Encryption | undefined,
): readonly Ending[] {
  const own = rpc.tls.certificate ?? http.tls.certificate;
  const authorities = rpc.tls.authorities ?? http.tls.authorities ?? [];
  const all: Ending[] = [];
  if (own !== undefined) {
    const names = own.dns_names;
    all.push({ who: `${node.name} (this agent)`, kind: "agent", notAfter: own.not_after, names });
  }
  for (const { subject, not_after } of authorities) {
    all.push({ who: commonName(subject), kind: "CA", notAfter: not_after, names: [] });
  }
  const self = `${node.name}.${node.region}`;
  for (const { name, not_after, names } of looked?.peers ?? []) {
    if (not_after === "" || (own !== undefined && name === self)) continue;
    all.push({ who: name, kind: "server", notAfter: not_after, names });
  }
  return all.sort(
    (a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter) || inOrder(a.who, b.who),
  );
}

/** The part by which people call it. */
function commonName(subject: string): string {
  return /(?:^|, )CN=([^,]+)/.exec(subject)?.[1] ?? subject;
}

const COLUMNS: readonly Column<Ending>[] = [
  { name: "Ends", text: ({ notAfter }) => notAfter, show: (one) => <Time at={one.notAfter} /> },
  {
    name: "Left",
    text: ({ notAfter }) => String(daysUntil(notAfter)),
    show: ({ notAfter }) => {
      const days = daysUntil(notAfter);
      return <Badge tone={toneOfDays(days)}>{daysText(days)}</Badge>;
    },
  },
  { name: "Whose", text: ({ who }) => who },
  { name: "Kind", text: ({ kind }) => kind, isMinor: true },
  { name: "Names", text: ({ names }) => names.join(", "), isMinor: true },
];

export function Certificates() {
  const now = useLive(status);
  const looked = useLive(encryption);
  const soon = useLive(endingNodes) ?? [];
  if (now === undefined) return <Missing problem={status.problem.value} what="Certificates" />;
  const all = certificatesOf(now, looked);
  const own = now.rpc.tls.certificate ?? now.http.tls.certificate;
  return (
    <>
      <h1>Certificates</h1>
      {all.length === 0 ? (
        <p>No certificate is in use: RPC and HTTP are in the clear.</p>
      ) : (
        <>
          <TimeLine of={all} />
          <Table
            title="Certificates"
            word="certificate"
            rows={all}
            columns={COLUMNS}
            keyOf={(one) => `${one.kind} ${one.who} ${one.notAfter}`}
          />
        </>
      )}
      {own === undefined ? null : (
        <Panel title="This agent's certificate">
          <Facts
            of={[
              ["Subject", own.subject],
              ["Names", own.dns_names.join(", ")],
              ["Issuer", own.issuer],
              ["Serial", <code key="serial">{own.serial}</code>],
              ["SHA-256", <code key="sha">{own.fingerprint_sha256}</code>],
              ["Key", own.key_type],
              ["From", <Time key="from" at={own.not_before} />],
              ["Until", <Time key="until" at={own.not_after} />],
            ]}
          />
        </Panel>
      )}
      <Panel title="Clients whose certificate ends within 30 days">
        {soon.length === 0 ? <p>None.</p> : null}
        <ul>
          {soon.slice(0, CLIENTS_MAX).map((one) => (
            <li key={one.ID}>
              <Link to={pathOf("clients", one.ID)}>{one.Name}</Link>
            </li>
          ))}
        </ul>
        {soon.length > CLIENTS_MAX ? <p>And {soon.length - CLIENTS_MAX} more.</p> : null}
      </Panel>
      <Panel title="With new files in their places">
        <Act
          text="Reload this agent"
          what="Read configuration and certificates again"
          operation="PUT /v1/agent/reload"
          run={reload}
        />
        <Command text="nomad operator tls reload" />
      </Panel>
    </>
  );
}

async function reload(): Promise<void> {
  await ask("/v1/agent/reload", { method: "PUT" });
  changed("");
}

const [WIDTH, ROW, LEFT] = [720, 22, 180];
const DAY_MS = 86_400_000;
const CLIENTS_MAX = 50;
/** Drawn one by one; of more, those that end first. */
const DRAWN_MAX = 24;

function TimeLine({ of }: { of: readonly Ending[] }) {
  const drawn = of.slice(0, DRAWN_MAX);
  const now = Date.now();
  const [from, to] = range(drawn, now);
  const x = (ms: number): number => LEFT + ((ms - from) / (to - from)) * (WIDTH - LEFT - 10);
  const height = drawn.length * ROW + 30;
  return (
    <figure
      class="timeline"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
      tabIndex={0}
    >
      <figcaption>
        When certificates end{of.length > drawn.length ? `: the first ${drawn.length}` : ""}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img">
        <title>
          A line for each certificate, from now until it ends; the table below has the same
        </title>
        <rect
          class="soon"
          x={x(now)}
          y="0"
          width={Math.max(0, x(Math.min(to, now + 30 * DAY_MS)) - x(now))}
          height={height - 22}
        />
        {drawn.map((one, i) => {
          const end = Date.parse(one.notAfter);
          const y = i * ROW + 14;
          const tone = toneOfDays(daysUntil(one.notAfter, now));
          return (
            <g key={`${one.kind} ${one.who}`} class={tone}>
              <text x={LEFT - 8} y={y + 4} class="name">
                {one.who.length > 24 ? `${one.who.slice(0, 23)}…` : one.who}
              </text>
              <line x1={x(Math.min(now, end))} x2={x(Math.max(now, end))} y1={y} y2={y} />
              <circle cx={x(end)} cy={y} r="5" />
            </g>
          );
        })}
        <line class="now" x1={x(now)} x2={x(now)} y1="0" y2={height - 22} />
        <text x={x(now)} y={height - 6} class="tick">
          now
        </text>
        <text x={WIDTH - 10} y={height - 6} class="tick end">
          {new Date(to).toISOString().slice(0, 10)}
        </text>
      </svg>
    </figure>
  );
}

/** A CA that lives ten years must not squeeze the rest: the line ends at what matters. */
function range(drawn: readonly Ending[], now: number): readonly [number, number] {
  const ends = drawn.map((one) => Date.parse(one.notAfter));
  const from = Math.min(now, ...ends) - DAY_MS;
  return [from, Math.max(now + 60 * DAY_MS, ...ends) + DAY_MS];
}
