/** `nomad version`: Nomad's line for whoever parses it, and ours for whoever reads it. */
import { VERSION } from "../version.ts";

export function versionText(): string {
  const lines = [`Nomad v${VERSION.nomad}`];
  if (VERSION.buildDate !== "") lines.push(`BuildDate ${VERSION.buildDate}`);
  if (VERSION.revision !== "") lines.push(`Revision ${VERSION.revision}`);
  lines.push(`Agent nomad-encrypted-agent v${VERSION.agent} (compatible, not HashiCorp's)`);
  return lines.join("\n");
}
