/** The flags that every command has which asks an agent. */
import { type Command, Option } from "commander";

/** What they say. */
export interface ApiFlags {
  readonly address?: string;
  readonly region?: string;
  readonly namespace?: string;
  readonly caCert?: string;
  readonly caPath?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly tlsSkipVerify?: boolean;
  readonly insecure?: boolean;
  readonly token?: string;
}

export function apiCommand(command: Command): Command {
  return command
    .optionsGroup("General options:")
    .option("--address <url>", "the agent: http(s)://host:port or unix:///path (NOMAD_ADDR)")
    .option("--region <name>", "region to ask (NOMAD_REGION)")
    .option("--namespace <name>", "namespace to ask for (NOMAD_NAMESPACE)")
    .option("--ca-cert <file>", "CA that signed the agent's certificate (NOMAD_CACERT)")
    .option("--ca-path <dir>", "folder of such CAs (NOMAD_CAPATH)")
    .option("--client-cert <file>", "certificate to show the agent (NOMAD_CLIENT_CERT)")
    .option("--client-key <file>", "its key (NOMAD_CLIENT_KEY)")
    .option("--tls-server-name <name>", "name to expect in its certificate (NOMAD_TLS_SERVER_NAME)")
    .option("--tls-skip-verify", "do not verify its certificate (NOMAD_SKIP_VERIFY)")
    .option("--token <secret>", "token to send (NOMAD_TOKEN)")
    .addOption(new Option("--insecure", "as -tls-skip-verify").hideHelp())
    .addOption(new Option("--no-color", "no colours").hideHelp())
    .addOption(new Option("--force-color", "colours").hideHelp())
    .optionsGroup("Options:");
}
