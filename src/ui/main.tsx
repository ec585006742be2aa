/** The page: navigation, what is wrong with the connection, and one view. */
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { silentSinceMs, token } from "./ask.ts";
import { followEvents } from "./events.ts";
import { ageText } from "./format.ts";
import { keepHistory } from "./history.ts";
import { useLive } from "./live.ts";
import { Link, Time } from "./parts/basics.tsx";
import { pathOf, place } from "./route.ts";
import { status } from "./store.ts";
import { Certificates } from "./views/certificates.tsx";
import { Clients, ClientView } from "./views/clients.tsx";
import { Events } from "./views/events.tsx";
import { Keys } from "./views/keys.tsx";
import { Overview } from "./views/overview.tsx";
import { RaftView } from "./views/raft.tsx";
import { Servers, ServerView } from "./views/servers.tsx";
import { SignIn } from "./views/sign-in.tsx";
import { Topology } from "./views/topology.tsx";

const VIEWS = [
  ["", "Overview"],
  ["topology", "Topology"],
  ["servers", "Servers"],
  ["clients", "Clients"],
  ["keys", "Keys"],
  ["certificates", "Certificates"],
  ["raft", "Raft"],
  ["events", "Events"],
] as const;

function Page() {
  const now = useLive(status);
  const [view = "", name] = place.value;
  const title = VIEWS.find(([path]) => path === view)?.[1] ?? "Sign in";
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${name ?? title} – Nomad${now === undefined ? "" : ` ${now.node.name}`}`;
  }, [title, name, now?.node.name]);
  useEffect(() => {
    // Whoever reads by ear hears the new view; at first, the page as a whole.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [view, name]);
  return (
    <>
      <a class="skip" href="#view">
        Skip to the view
      </a>
      <header>
        <p class="brand">Nomad {now === undefined ? null : <span>{now.node.name}</span>}</p>
        <nav aria-label="Views">
          {VIEWS.map(([path, text]) => (
            <Link key={path} to={pathOf(...[path].filter(Boolean))} current={view === path}>
              {text}
            </Link>
          ))}
          <Link to={pathOf("sign-in")} current={view === "sign-in"}>
            {token.value === "" ? "Sign in" : "Token"}
          </Link>
        </nav>
      </header>
      <Silence />
      <main id="view" ref={main} tabIndex={-1}>
        <View view={view} name={name} />
      </main>
      <footer class="quiet">
        {now === undefined
          ? null
          : `${now.node.name}, region ${now.node.region}, version ${now.node.agent_version} (speaks Nomad ${now.node.version})`}
      </footer>
    </>
  );
}

function View({ view, name }: { view: string; name: string | undefined }) {
  if (view === "") return <Overview />;
  if (view === "topology") return <Topology />;
  if (view === "servers") return name === undefined ? <Servers /> : <ServerView name={name} />;
  if (view === "clients") return name === undefined ? <Clients /> : <ClientView id={name} />;
  if (view === "keys") return <Keys />;
  if (view === "certificates") return <Certificates />;
  if (view === "raft") return <RaftView />;
  if (view === "events") return <Events />;
  if (view === "sign-in") return <SignIn />;
  return <p>There is no view called {view}.</p>;
}

/** What is shown is old, and from when. */
function Silence() {
  const since = silentSinceMs.value;
  return (
    <div role="alert" class={since === undefined ? "" : "silence"}>
      {since === undefined ? null : (
        <>
          The agent does not answer since <Time at={since} />. What you see is at least{" "}
          {ageText(Date.now() - since)} old. Trying again.
        </>
      )}
    </div>
  );
}

const root = document.getElementById("page");
if (root !== null) {
  keepHistory();
  followEvents();
  render(<Page />, root);
}
