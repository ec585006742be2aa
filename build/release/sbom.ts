/**
 * What is in the binary, as a CycloneDX bill of materials: every package of package-lock.json that
 * is no development tool, and the runtime.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

const PREFIX = "node_modules/";

/** JSON, the same for the same lock file and version. @param epochSeconds of the commit */
export function billOfMaterials(lockPath: string, version: string, epochSeconds: number): string {
  const lock: Lock = JSON.parse(readFileSync(lockPath, "utf8"));
  const { "": self = {}, ...rest } = lock.packages;
  const shipped = Object.entries(rest)
    .filter(([path, one]) => one.dev !== true && one.devOptional !== true && isInBinary(path))
    .map(([path, one]) => ({ name: path.slice(path.lastIndexOf(PREFIX) + PREFIX.length), one }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = { ref: `nomad-encrypted-agent@${version}`, needs: self.dependencies ?? {} };
  const refs = new Map(shipped.map(({ name, one }) => [name, refOf(name, one)]));
  const dependsOn = (needs: Readonly<Record<string, string>>): string[] =>
    Object.keys(needs).flatMap((name) => refs.get(name) ?? []).sort();
  const body = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: serialOf(`${own.ref}\n${[...refs.values()].join("\n")}`),
    version: 1,
    metadata: {
      timestamp: new Date(epochSeconds * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": own.ref,
        name: "nomad-encrypted-agent",
        version,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components: shipped.map(({ name, one }) => componentOf(name, one)),
    dependencies: [
      { ref: own.ref, dependsOn: dependsOn(own.needs) },
      ...shipped.map(({ name, one }) => ({
        ref: refOf(name, one),
        dependsOn: dependsOn(one.dependencies ?? {}),
      })),
    ],
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}

/** The runtime's packages for machines are one thing with the runtime; types are in no binary. */
function isInBinary(path: string): boolean {
  return !path.startsWith(`${PREFIX}@oven/`) && !path.includes(`${PREFIX}@types/`);
}

function refOf(name: string, { version = "" }: LockedPackage): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function componentOf(name: string, one: LockedPackage) {
  const [group, plain] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const { license = "", integrity = "" } = one;
  return {
    type: name === "bun" ? "platform" : "library",
    "bom-ref": refOf(name, one),
    ...(group === undefined ? {} : { group }),
    name: plain,
    version: one.version,
    purl: refOf(name, one),
    ...(license === "" ? {} : { licenses: [licenseOf(license)] }),
    ...(integrity.startsWith("sha512-") && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice(7), "base64").toString("hex") }],
    }),
  };
}

/** An expression, or one name of SPDX's. */
function licenseOf(license: string) {
  return / (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } };
}

/** A UUID of version 8 out of what it is about: the same for the same content. */
function serialOf(content: string): string {
  const hash = createHash("sha256").update(content).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)];
  return `urn:uuid:${parts.join("-")}`;
}
