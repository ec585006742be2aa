/** With which token the page asks. */
import { useState } from "preact/hooks";
import { askJson, errorText, signIn, token } from "../ask.ts";
import { restart } from "../events.ts";
import { Facts, Panel } from "../parts/basics.tsx";
import { rights } from "../rights.ts";
import { askAll } from "../store.ts";

interface Self {
  readonly Name: string;
  readonly Type: string;
  readonly AccessorID: string;
  readonly Policies: readonly string[] | null;
  readonly ExpirationTime?: string | null;
}

export function SignIn() {
  const [secret, write] = useState("");
  const [self, know] = useState<Self>();
  const [problem, fail] = useState("");
  const become = async (wanted: string): Promise<void> => {
    const before = token.value;
    signIn(wanted);
    know(undefined);
    fail("");
    write("");
    try {
      if (wanted !== "") know(await askJson<Self>("/v1/acl/token/self"));
    } catch (error) {
      signIn(before);
      fail(errorText(error));
    }
    restart();
    rights.refresh();
    askAll();
  };
  return (
    <>
      <h1>Sign in</h1>
      <p>
        The token is sent with every question of this page, and kept until this tab is closed.
        Without one you are anonymous.
      </p>
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          void become(secret.trim());
        }}
      >
        <label>
          Secret ID of a token{" "}
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={secret}
            onInput={(event) => write(event.currentTarget.value)}
          />
        </label>
        <button type="submit">Sign in</button>
        {token.value === "" ? null : (
          <button type="button" onClick={() => void become("")}>
            Sign out
          </button>
        )}
      </form>
      {problem === "" ? null : <p role="alert">{problem}</p>}
      {self === undefined ? (
        <p>{token.value === "" ? "Nobody is signed in." : "A token is in use."}</p>
      ) : (
        <Panel title="This token">
          <Facts
            of={[
              ["Name", self.Name],
              ["Type", self.Type],
              ["Accessor", <code key="a">{self.AccessorID}</code>],
              ["Policies", self.Policies?.join(", ") || "–"],
              ["Until", self.ExpirationTime ?? "it is deleted"],
            ]}
          />
        </Panel>
      )}
    </>
  );
}
