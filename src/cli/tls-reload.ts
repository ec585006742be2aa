/** `nomad operator tls reload`: what SIGHUP does, with an answer. */
import { ApiClient, type ApiFlags } from "./api-client.ts";
import { CommandError, print } from "./output.ts";

export async function reloadTls(flags: ApiFlags): Promise<void> {
  const { status, body } = await new ApiClient(flags, process.env).send("PUT", "/v1/agent/reload");
  if (status !== 200) throw new CommandError(`Error reloading the agent: ${body}`);
  print("The agent has read its configuration again: new connections use its tls block.");
}
