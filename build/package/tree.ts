/** The files of a package where they lie on a machine, for Debian's packages and rpm's alike. */
import { unitText } from "../../src/cli/systemd-unit.ts";
import { fileOf, gzip, type ReleaseFile, read } from "../release/files.ts";

/** HashiCorp's package is called nomad. */
export const PACKAGE = "nomad-encrypted-agent";
export const SUMMARY = "encrypted, Nomad-compatible agent in one binary";
export const DESCRIPTION = [
  "Speaks the protocols of Nomad's servers, and encrypts all of its traffic:",
  "gossip with AES-GCM, RPC and the HTTP API with TLS. There is no job",
  "scheduler in it.",
] as const;

/** Kept as they are when somebody has changed them. */
export const CONFIG_FILES = ["etc/nomad.d/nomad.hcl", "etc/logrotate.d/nomad"] as const;
export const DOC = `usr/share/doc/${PACKAGE}`;

/**
 * @param common what archives have, too (release/files.ts)
 * @param binary its bytes, as they were compiled
 */
export function packageTree(
  common: readonly ReleaseFile[],
  binary: Uint8Array,
): readonly ReleaseFile[] {
  const moved = common.flatMap((one) => {
    const path = placeOf(one.path);
    return path === undefined ? [] : [{ ...one, path }];
  });
  const page = common.find((one) => one.path === "man/nomad.1")?.bytes ?? new Uint8Array(0);
  const unit = new TextEncoder().encode(unitText("/usr/bin/nomad"));
  return [
    { ...fileOf("usr/bin/nomad", binary), mode: 0o755 },
    fileOf("lib/systemd/system/nomad.service", unit),
    fileOf("usr/lib/sysusers.d/nomad.conf", read("build/package/sysusers.conf")),
    { ...fileOf("etc/nomad.d/nomad.hcl", read("build/package/nomad.hcl")), mode: 0o644 },
    fileOf("etc/logrotate.d/nomad", read("build/package/logrotate")),
    fileOf("usr/share/man/man1/nomad.1.gz", gzip(page)),
    ...moved,
  ];
}

function placeOf(path: string): string | undefined {
  const completion = /^completions\/(.*)$/.exec(path)?.[1];
  if (completion === "nomad") return "usr/share/bash-completion/completions/nomad";
  if (completion === "_nomad") return "usr/share/zsh/vendor-completions/_nomad";
  if (completion === "nomad.fish") return "usr/share/fish/vendor_completions.d/nomad.fish";
  if (path === "README.md" || path.startsWith("examples/")) return `${DOC}/${path}`;
  return undefined;
}
