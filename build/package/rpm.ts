/** A package for rpm, by rpmbuild, with the same files as Debian's. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { must } from "../release/targets.ts";
import type { PackageInit } from "./deb.ts";
import { CONFIG_FILES, DESCRIPTION, DOC, PACKAGE, SUMMARY } from "./tree.ts";

/** Where the files of Debian lie elsewhere. */
const MOVED: readonly (readonly [RegExp, string])[] = [
  [/^lib\/systemd\//, "usr/lib/systemd/"],
  [/^usr\/share\/zsh\/vendor-completions\//, "usr/share/zsh/site-functions/"],
];

/** @throws Error when rpmbuild is not there, or refuses */
export function writeRpm(init: PackageInit): void {
  const work = mkdtempSync(join(tmpdir(), "nomad-rpm-"));
  try {
    const root = join(work, "root");
    const tree = init.tree.map((one) => ({ ...one, path: placeOf(one.path) }));
    for (const { path, bytes, mode } of tree) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), bytes, { mode });
    }
    const spec = join(work, "nomad.spec");
    writeFileSync(spec, specOf(init, tree.map((one) => one.path), root));
    const defines = [
      `_topdir ${work}`,
      // No strip, no debug packages, no links by build id: the binary stays as it is.
      "__os_install_post %{nil}",
      "debug_package %{nil}",
      "_build_id_links none",
      `_binary_payload ${init.small ? "w2.xzdio" : "w.ufdio"}`,
      "use_source_date_epoch_as_buildtime 1",
      "clamp_mtime_to_source_date_epoch 1",
      "_buildhost localhost",
    ].flatMap((one) => ["--define", one]);
    const target = `--target=${init.architecture}-linux`;
    must(["rpmbuild", "-bb", "--quiet", target, ...defines, spec], work, {
      SOURCE_DATE_EPOCH: String(init.epochSeconds),
    });
    const [made = ""] = readdirSync(join(work, "RPMS", init.architecture));
    mkdirSync(dirname(init.outfile), { recursive: true });
    cpSync(join(work, "RPMS", init.architecture, made), init.outfile);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function placeOf(path: string): string {
  const [from, to] = MOVED.find(([pattern]) => pattern.test(path)) ?? [/^$/, ""];
  return path.replace(from, to);
}

function specOf({ version }: PackageInit, paths: readonly string[], root: string): string {
  const config: readonly string[] = CONFIG_FILES;
  const files = paths.map((path) => {
    if (path === "etc/nomad.d/nomad.hcl") return `%attr(0640, root, nomad) %config(noreplace) /${path}`;
    if (config.includes(path)) return `%config(noreplace) /${path}`;
    return path.startsWith(DOC) ? `%doc /${path}` : `/${path}`;
  });
  return `Name: ${PACKAGE}
Version: ${version}
Release: 1
Summary: ${SUMMARY}
License: MIT
Conflicts: nomad
AutoReqProv: no
Requires: glibc >= 2.17
Requires(pre): shadow-utils

%description
${DESCRIPTION.join("\n")}

%install
cp -a ${root}/. %{buildroot}/

%pre
getent passwd nomad >/dev/null || useradd --system --user-group --home-dir /var/lib/nomad --shell /sbin/nologin nomad
exit 0

%preun
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then systemctl --no-reload disable --now nomad.service || true; fi

%post
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi

%postun
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi

%files
%dir %attr(0750, root, nomad) /etc/nomad.d
%dir /${DOC}
${files.join("\n")}
`;
}
