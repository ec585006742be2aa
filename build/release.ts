/**
 * `npm run release`: archives and packages of this commit for every target, their checksums and the
 * bill of materials, in build/out/release. The same commit gives the same bytes.
 *
 *   --only=linux_amd64,linux_arm64   these targets only
 *   --quick                          packages of the first target only, not compressed: for tests
 *   --out=DIR                        elsewhere
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "./build.ts";
import { type PackageInit, writeDeb } from "./package/deb.ts";
import { writeRpm } from "./package/rpm.ts";
import { PACKAGE, packageTree } from "./package/tree.ts";
import { commonFiles, fileOf, packArchive, type ReleaseFile, read } from "./release/files.ts";
import { billOfMaterials } from "./release/sbom.ts";
import { runtimeOf, TARGETS, type Target } from "./release/targets.ts";
import { readVersion } from "./version.ts";

const OUT = new URL("./out/release", import.meta.url).pathname;
const LOCK = new URL("../package-lock.json", import.meta.url).pathname;
const SUMS = "SHA256SUMS";

interface ReleaseInit {
  readonly targets: readonly Target[];
  readonly out: string;
  /** One of this commit that runs here; left out: it is compiled first. */
  readonly host?: string;
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** @throws Error for whoever runs this */
export async function release(init: ReleaseInit): Promise<void> {
  const { targets, out, quick, say } = init;
  const { release: version, epochSeconds } = readVersion();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const work = join(tmpdir(), `nomad-release-${process.pid}`);
  try {
    const host = init.host ?? join(work, "host", "nomad");
    if (init.host === undefined) await build(host);
    const common = commonFiles(host);
    for (const [i, target] of targets.entries()) {
      const started = performance.now();
      const binary = join(work, target.name, "nomad");
      await build(binary, { target: { name: target.bun, runtime: runtimeOf(target) } });
      const bytes = new Uint8Array(readFileSync(binary));
      const made = { target, bytes, common, version, epochSeconds, quick, out };
      await archive(made);
      if (!quick || i === 0) packages(made);
      rmSync(binary);
      say(`${target.name} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    const bill = billOfMaterials(LOCK, version, epochSeconds);
    writeFileSync(join(out, `${PACKAGE}_${version}_sbom.cdx.json`), bill);
    writeSums(out);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Made {
  readonly target: Target;
  readonly bytes: Uint8Array;
  readonly common: readonly ReleaseFile[];
  readonly version: string;
  readonly epochSeconds: number;
  readonly quick: boolean;
  readonly out: string;
}

async function archive(made: Made): Promise<void> {
  const { target, bytes, common, version, epochSeconds, out } = made;
  const folder = `${PACKAGE}_${version}_${target.name}`;
  const files = [
    ...common,
    { ...fileOf("nomad", bytes), mode: 0o755 },
    fileOf("Containerfile", read("build/package/Containerfile")),
  ];
  const packed = await packArchive(folder, files, epochSeconds);
  writeFileSync(join(out, `${folder}.tar.gz`), packed);
}

/** A machine without the tool makes a release without the format, and says so. */
function packages(made: Made): void {
  const { target, bytes, common, version, epochSeconds, quick, out } = made;
  const tree = packageTree(common, bytes);
  const init = { version, tree, epochSeconds, small: !quick };
  const { deb, rpm } = target;
  const formats: readonly (readonly [string, string, string | undefined, Writer])[] = [
    ["dpkg-deb", `${PACKAGE}_${version}_${deb}.deb`, deb, writeDeb],
    ["rpmbuild", `${PACKAGE}-${version}-1.${rpm}.rpm`, rpm, writeRpm],
  ];
  for (const [tool, name, architecture, write] of formats) {
    if (architecture === undefined) continue;
    if (Bun.which(tool) === null) console.warn(`there is no ${tool} here: ${name} is left out`);
    else write({ ...init, architecture, outfile: join(out, name) });
  }
}

type Writer = (init: PackageInit) => void;

function writeSums(out: string): void {
  const names = readdirSync(out).sort();
  const lines = names.map((name) => {
    const hash = new Bun.CryptoHasher("sha256").update(readFileSync(join(out, name)));
    return `${hash.digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(out, SUMS), lines.join(""));
}

/** @throws Error for a target that does not exist */
function targetsOf(names: string | undefined): readonly Target[] {
  if (names === undefined) return TARGETS;
  return names.split(",").map((name) => {
    const found = TARGETS.find((one) => one.name === name);
    if (found !== undefined) return found;
    throw new Error(`there is no target ${name}: ${TARGETS.map((one) => one.name).join(", ")}`);
  });
}

if (import.meta.main) {
  const flag = (name: string): string | undefined =>
    process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
  const out = resolve(flag("out") ?? OUT);
  const quick = process.argv.includes("--quick");
  await release({ targets: targetsOf(flag("only")), out, quick, say: console.log });
  console.log(`released into ${out}: ${readdirSync(out).length} files`);
}
