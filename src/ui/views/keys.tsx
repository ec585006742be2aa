/** The gossip keys: which there are, who has them, and a new one in their place. */
import { useState } from "preact/hooks";
import type { KeyList } from "../answers.ts";
import { counted } from "../format.ts";
import { useLive } from "../live.ts";
import { Act } from "../parts/act.tsx";
import { Badge, Command, Missing, Panel, Time } from "../parts/basics.tsx";
import { change, isRunning, newKey, rotate, steps } from "../rotation.ts";
import { changed, keys, status } from "../store.ts";

const PUT = "PUT /v1/agent/keyring";

export function Keys() {
  const list = useLive(keys);
  return (
    <>
      <h1>Gossip keys</h1>
      {list === undefined ? (
        <Missing problem={keys.problem.value} what="The keys" />
      ) : (
        <>
          <Installed list={list} />
          <Rotate list={list} />
          <Install />
          <Holders list={list} />
        </>
      )}
    </>
  );
}

function Installed({ list }: { list: KeyList }) {
  return (
    <Panel title="Installed" wide>
      <ul class="keys">
        {list.Keys.map((key) => {
          const isPrimary = key.PrimaryOn === list.NumNodes;
          const short = key.Fingerprint.slice(0, 8);
          return (
            <li key={key.Fingerprint}>
              <code>{key.Fingerprint}</code>
              <span>{key.Bits} bits</span>
              <Age of={key.Fingerprint} />
              <span>
                {key.Nodes === list.NumNodes ? (
                  <>on every member</>
                ) : (
                  <Badge tone="warn">
                    on {key.Nodes} of {list.NumNodes}
                  </Badge>
                )}
              </span>
              <span>
                {isPrimary ? (
                  <Badge tone="good">in use</Badge>
                ) : (
                  `in use on ${key.PrimaryOn} of ${list.NumNodes}`
                )}
              </span>
              <Act
                text="Use"
                what={`Use ${short} on every member`}
                operation={`${PUT}/use`}
                not={isPrimary ? "it is in use already" : ""}
                run={() => done(change("use", { Fingerprint: key.Fingerprint }))}
              />
              <Act
                text="Remove"
                what={`Remove ${short} from every member`}
                operation={`${PUT}/remove`}
                not={key.PrimaryOn > 0 ? "a member uses it" : ""}
                run={() => done(change("remove", { Fingerprint: key.Fingerprint }))}
              />
            </li>
          );
        })}
      </ul>
      <Command text="nomad operator gossip keyring list" />
    </Panel>
  );
}

/** As the agent of this page knows it. */
function Age({ of }: { of: string }) {
  const since = useLive(status)?.gossip.keys?.find((one) => one.fingerprint === of)?.since;
  if (since === undefined || since === null) return null;
  return (
    <span>
      since <Time at={since} />, at the latest
    </span>
  );
}

async function done(changing: Promise<void>): Promise<void> {
  await changing.finally(() => changed(""));
}

function Rotate({ list }: { list: KeyList }) {
  const bits = list.Keys.find((one) => one.PrimaryOn > 0)?.Bits ?? 128;
  return (
    <Panel title="Rotate" wide>
      <p>
        A new key is made in this browser, installed on {counted(list.NumNodes, "member")}, used,
        and the old ones are removed. No message is lost.
      </p>
      <Act
        text="Rotate the gossip key"
        what="Put a new key in the place of all others"
        operation={`${PUT}/install`}
        not={isRunning() ? "a rotation runs" : ""}
        run={() => rotate(bits)}
      />
      <ol class="steps" aria-live="polite">
        {steps.value.map(({ text, state, problem }) => (
          <li key={text} class={state}>
            {text}: {state}
            {problem === "" ? "" : `: ${problem}`}
          </li>
        ))}
      </ol>
      {newKey.value === "" ? null : (
        <details>
          <summary>The new key, for servers that come later (server.encrypt)</summary>
          <code>{newKey.value}</code>
        </details>
      )}
      <Command text="nomad operator gossip keyring rotate" />
    </Panel>
  );
}

function Install() {
  const [key, write] = useState("");
  const install = async (): Promise<void> => {
    await done(change("install", { Key: key.trim() }));
    write("");
  };
  return (
    <Panel title="Install a key" wide>
      <label>
        Base64 of 16, 24 or 32 bytes{" "}
        <input
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => write(event.currentTarget.value)}
        />
      </label>{" "}
      <Act
        text="Install"
        what="Install this key on every member"
        operation={`${PUT}/install`}
        not={key.trim() === "" ? "no key is given" : ""}
        run={install}
      />
    </Panel>
  );
}

/** Only where they differ: a pool in which all have the same is one line. */
function Holders({ list: { Members } }: { list: KeyList }) {
  const text = (one: KeyList["Members"][number]): string =>
    `${one.Primary} ${[...one.Keys].sort().join(" ")}`;
  const alike = new Set(Members.map(text)).size <= 1;
  if (alike) return <p class="quiet">All of {counted(Members.length, "member")} have the same.</p>;
  return (
    <Panel title="Members differ" wide>
      <ul>
        {Members.map((one) => (
          <li key={one.Name}>
            {one.Name}: uses <code>{one.Primary.slice(0, 8)}</code>, has{" "}
            {one.Keys.map((key) => key.slice(0, 8)).join(", ")}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
