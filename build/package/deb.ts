/** A Debian package, by dpkg-deb. The binary in it is byte for byte the one that was compiled. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzip, type ReleaseFile, read } from "../release/files.ts";
import { must } from "../release/targets.ts";
import { CONFIG_FILES, DESCRIPTION, DOC, PACKAGE, SUMMARY } from "./tree.ts";

export interface PackageInit {
  readonly outfile: string;
  readonly version: string;
  readonly architecture: string;
  readonly tree: readonly ReleaseFile[];
  readonly epochSeconds: number;
  /** Compressed, which takes time. */
  readonly small: boolean;
}

const SCRIPTS = ["postinst", "prerm", "postrm"] as const;
/** dpkg-deb wants an address, and there is none. */
const MAINTAINER = `${PACKAGE} authors <nobody@example.org>`;

/** @throws Error when dpkg-deb is not there, or refuses */
export function writeDeb(init: PackageInit): void {
  const root = mkdtempSync(join(tmpdir(), "nomad-deb-"));
  try {
    const tree = [...init.tree, ...documents(init)];
    for (const { path, bytes, mode } of tree) place(root, path, bytes, mode);
    const size = tree.reduce((sum, one) => sum + Math.ceil(one.bytes.length / 1024), 0);
    place(root, "DEBIAN/control", control(init, size), 0o644);
    place(root, "DEBIAN/conffiles", CONFIG_FILES.map((one) => `/${one}\n`).join(""), 0o644);
    place(root, "DEBIAN/md5sums", sums(tree), 0o644);
    for (const name of SCRIPTS) {
      place(root, `DEBIAN/${name}`, read(`build/package/debian/${name}`), 0o755);
    }
    mkdirSync(dirname(init.outfile), { recursive: true });
    const compression = init.small ? ["-Zxz", "-z2"] : ["-Znone"];
    const made = join(root, "..", `${root.slice(root.lastIndexOf("/") + 1)}.deb`);
    must(["dpkg-deb", "--root-owner-group", ...compression, "--build", root, made], "/", {
      SOURCE_DATE_EPOCH: String(init.epochSeconds),
    });
    cpSync(made, init.outfile);
    rmSync(made);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function place(root: string, path: string, content: Uint8Array | string, mode: number): void {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true, mode: 0o755 });
  writeFileSync(full, content, { mode });
}

function control({ version, architecture }: PackageInit, sizeKb: number): string {
  const lines = [
    `Package: ${PACKAGE}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${sizeKb}`,
    "Depends: libc6 (>= 2.17), systemd | systemd-standalone-sysusers",
    "Conflicts: nomad",
    "Section: net",
    "Priority: optional",
    `Description: ${SUMMARY}`,
    ...DESCRIPTION.map((line) => ` ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}

function documents({ version, epochSeconds }: PackageInit): readonly ReleaseFile[] {
  const date = new Date(epochSeconds * 1000).toUTCString().replace("GMT", "+0000");
  const changes = `${PACKAGE} (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n -- ${MAINTAINER}  ${date}\n`;
  const license = new TextDecoder().decode(read("LICENSE"));
  const text = (path: string, bytes: Uint8Array): ReleaseFile => ({ path, bytes, mode: 0o644 });
  return [
    text(`${DOC}/copyright`, new TextEncoder().encode(license)),
    text(`${DOC}/changelog.gz`, gzip(new TextEncoder().encode(changes))),
    text(`${DOC}/NEWS.gz`, gzip(read("CHANGELOG.md"))),
    text(`usr/share/lintian/overrides/${PACKAGE}`, read("build/package/debian/lintian-overrides")),
  ];
}

function sums(tree: readonly ReleaseFile[]): string {
  const files = tree.filter(({ path }) => !CONFIG_FILES.some((one) => one === path));
  const line = ({ path, bytes }: ReleaseFile): string =>
    `${new Bun.CryptoHasher("md5").update(bytes).digest("hex")}  ${path}\n`;
  return files.map(line).join("");
}
