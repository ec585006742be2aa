/** `nomad operator tls reload`: what SIGHUP does, with an answer. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { listField, parseAnswer } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

export async function reloadTls(flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const fail = (why: string): never => {
    throw new CommandError(`Error reloading the agent: ${why}`);
  };
  const { status, body } = await client
    .send("PUT", PATHS.agentReload)
    .catch((error: unknown) => fail(errorText(error)));
  // The mistakes in the configuration, as they are: nobody asks for the code of the answer.
  if (status !== 200) fail(body);
  print("The agent has read its configuration again: new connections use its tls block.");
  // A real Nomad agent's answer is empty.
  const answer = body === "" ? undefined : parseAnswer(body, "the agent");
  const restart = listField(answer, "restart_needed").map(String);
  if (restart.length > 0) print(`Changed, too, but only a restart takes: ${restart.join(", ")}`);
}
