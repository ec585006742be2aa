/** A request as a `curl` command: what `operator api -dryrun` prints. Secrets of the environment stay there. */
import type { ApiFlags } from "./api-command.ts";
import { type Environment, settingOf } from "./setting.ts";

interface CurlRequest {
  readonly flags: ApiFlags;
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** As curl takes it: a text, `@FILE`, or `@-` for stdin; undefined: there is none. */
  readonly body: string | undefined;
}

export function curlCommand(request: CurlRequest, env: Environment): string {
  const { flags, method, headers, body } = request;
  const url = new URL(request.url);
  const parts = ["curl", `-X ${method}`];
  if (body !== undefined) {
    parts.push(`--data-binary ${/^@[\w./-]+$/.test(body) ? body : quoted(body)}`);
  }
  const file = (
    option: string,
    flag: string,
    value: string | undefined,
    variable: string,
  ): void => {
    const setting = settingOf([flag, value], variable, env);
    if (setting !== undefined) parts.push(`${option} ${quoted(setting.value)}`);
  };
  const address = settingOf(["-address", flags.address], "NOMAD_ADDR", env)?.value ?? "";
  if (/^unix:\/\//i.test(address)) parts.push(`--unix-socket ${quoted(address.slice(7))}`);
  file("--cacert", "-ca-cert", flags.caCert, "NOMAD_CACERT");
  file("--capath", "-ca-path", flags.caPath, "NOMAD_CAPATH");
  file("--cert", "-client-cert", flags.clientCert, "NOMAD_CLIENT_CERT");
  file("--key", "-client-key", flags.clientKey, "NOMAD_CLIENT_KEY");
  const name = settingOf(["", flags.tlsServerName], "NOMAD_TLS_SERVER_NAME", env)?.value;
  if (name !== undefined) {
    // curl takes the name that it verifies from the URL; where it really goes is said apart.
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    parts.push(`--connect-to ${quoted(`${name}:${port}:${url.hostname}:${port}`)}`);
    url.hostname = name;
  }
  const skip = flags.tlsSkipVerify === true || flags.insecure === true;
  if (skip || /^(1|t|true)$/i.test(env["NOMAD_SKIP_VERIFY"] ?? "")) parts.push("--insecure");
  for (const [header, values] of Object.entries(headers)) {
    for (const value of values) parts.push(`-H ${quoted(`${header}: ${value}`)}`);
  }
  if (flags.token) parts.push(`-H ${quoted(`X-Nomad-Token: ${flags.token}`)}`);
  else if (env["NOMAD_TOKEN"]) parts.push('-H "X-Nomad-Token: ${NOMAD_TOKEN}"');
  if (env["NOMAD_HTTP_AUTH"]) parts.push('-u "$NOMAD_HTTP_AUTH"');
  parts.push(quoted(url.href));
  return parts.join(" \\\n  ");
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
