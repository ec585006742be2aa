/** The flags that every command has which asks an agent. */
import { type Command, Option } from "commander";

export function apiCommand(command: Command): Command {
  return command
    .option("--address <url>", "the agent, as http(s)://host:port (NOMAD_ADDR)")
    .option("--region <name>", "region to ask (NOMAD_REGION)")
    .option("--namespace <name>", "namespace to ask for (NOMAD_NAMESPACE)")
    .option("--ca-cert <file>", "CA that signed the agent's certificate (NOMAD_CACERT)")
    .option("--ca-path <dir>", "folder of such CAs (NOMAD_CAPATH)")
    .option("--client-cert <file>", "certificate to show the agent (NOMAD_CLIENT_CERT)")
    .option("--client-key <file>", "its key (NOMAD_CLIENT_KEY)")
    .option("--tls-server-name <name>", "name to expect in its certificate (NOMAD_TLS_SERVER_NAME)")
    .option("--tls-skip-verify", "do not verify its certificate (NOMAD_SKIP_VERIFY)")
    .option("--token <secret>", "token to send (NOMAD_TOKEN)")
    .addOption(new Option("--no-color", "no colours").hideHelp())
    .addOption(new Option("--force-color", "colours").hideHelp());
}
