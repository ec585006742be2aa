/** A button that changes something: it asks again first, and says why where it is not allowed. */
import { useState } from "preact/hooks";
import { errorText } from "../ask.ts";
import { useLive } from "../live.ts";
import { rights, whyNot } from "../rights.ts";

interface ActProps {
  readonly text: string;
  /** What happens: "Remove 1234abcd from every member". */
  readonly what: string;
  /** As in the API: "PUT /v1/agent/keyring/remove". */
  readonly operation: string;
  /** Why it makes no sense now; "" when it does. */
  readonly not?: string;
  readonly run: () => Promise<void>;
}

export function Act({ text, what, operation, not = "", run }: ActProps) {
  const [isAsking, ask] = useState(false);
  const [isRunning, start] = useState(false);
  const [problem, fail] = useState("");
  useLive(rights);
  const refusal = whyNot(operation) || not;
  const go = async (): Promise<void> => {
    ask(false);
    start(true);
    fail("");
    await run().catch((error: unknown) => fail(errorText(error)));
    start(false);
  };
  if (isAsking) {
    return (
      <fieldset class="act" aria-label={what}>
        {what}?{" "}
        <button type="button" class="sure" onClick={() => void go()}>
          Yes
        </button>
        <button type="button" onClick={() => ask(false)} ref={(button) => button?.focus()}>
          No
        </button>
      </fieldset>
    );
  }
  return (
    <span class="act">
      <button
        type="button"
        aria-disabled={refusal !== "" || isRunning}
        aria-label={`${text}: ${what}`}
        title={refusal || what}
        onClick={() => {
          if (refusal !== "") fail(refusal);
          else if (!isRunning) ask(true);
        }}
      >
        {isRunning ? "…" : text}
      </button>
      {problem === "" ? null : <span role="alert">{problem}</span>}
    </span>
  );
}
