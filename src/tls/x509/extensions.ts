/** The extensions that decide something; any other only matters if it is critical. */
import { type BitString, DerError, DerReader, Tag } from "./der.ts";
import { readIa5 } from "./distinguished-name.ts";
import { type AlternativeNames, GeneralName } from "./general-name.ts";
import { type NameConstraints, readNameConstraints } from "./name-constraints.ts";

type ExtendedUsage = "any" | "server" | "client" | "other";

export interface Extensions {
  /** Undefined: no basicConstraints. */
  readonly constraints:
    | { readonly isCa: boolean; readonly pathLength: number | undefined }
    | undefined;
  /** Undefined: no keyUsage. */
  readonly keyUsage: BitString | undefined;
  readonly extendedUsages: readonly ExtendedUsage[];
  readonly names: AlternativeNames;
  /** The subjectAltName as it is written; undefined: there is none. */
  readonly rawNames: Uint8Array | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  /** Object identifiers that are critical and mean nothing to us. */
  readonly unknownCritical: readonly string[];
}

export const KeyUsageBit = { digitalSignature: 0, certificateSign: 5 } as const;

type Writable = { -readonly [Name in keyof Extensions]: Extensions[Name] };

const Id = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  crlDistribution: "2.5.29.31",
  policies: "2.5.29.32",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  authorityInfo: "1.3.6.1.5.5.7.1.1",
} as const;

/**
 * Known, and without a say: Go reads them, and no decision of ours hangs on them. The constraints
 * on policies (2.5.29.33, .36, .54) are not among them: where they are critical we refuse, while Go
 * works out the policies.
 */
const WITHOUT_A_SAY = new Set<string>([Id.crlDistribution, Id.policies]);
/** Marked critical against RFC 5280, Go does not take the certificate. */
const NEVER_CRITICAL = new Set<string>([Id.subjectKeyId, Id.authorityKeyId, Id.authorityInfo]);

/** @throws DerError */
export function readExtensions(content: Uint8Array | undefined): Extensions {
  const found: Writable = {
    constraints: undefined,
    keyUsage: undefined,
    extendedUsages: [],
    names: { dnsNames: [], emails: [], uris: [], ips: [] },
    rawNames: undefined,
    nameConstraints: undefined,
    subjectKeyId: new Uint8Array(),
    authorityKeyId: new Uint8Array(),
    unknownCritical: [],
  };
  if (content === undefined) return found;
  const list = new DerReader(content).inside(Tag.sequence, "extensions");
  const seen = new Set<string>();
  const unknown: string[] = [];
  while (!list.isAtEnd) {
    const one = list.inside(Tag.sequence, "extension");
    const id = one.objectId("extension");
    const isCritical = one.peeks(Tag.boolean) && one.boolean("extension");
    const value = one.content(Tag.octetString, "extension");
    if (seen.has(id)) throw new DerError(`duplicate extension with OID "${id}"`);
    seen.add(id);
    if (isCritical && NEVER_CRITICAL.has(id)) {
      throw new DerError(`the extension ${id} is incorrectly marked critical`);
    }
    if (!readOne(found, id, value) && isCritical) unknown.push(id);
  }
  found.unknownCritical = unknown;
  return found;
}

/** @returns is it understood, all of it? */
function readOne(found: Writable, id: string, value: Uint8Array): boolean {
  const reader = new DerReader(value);
  switch (id) {
    case Id.basicConstraints:
      found.constraints = readBasicConstraints(reader);
      return true;
    case Id.keyUsage:
      found.keyUsage = reader.bitString("key usage");
      return true;
    case Id.extendedKeyUsage:
      found.extendedUsages = readUsages(reader);
      return true;
    case Id.subjectAltName:
      found.rawNames = value;
      found.names = readAlternativeNames(reader);
      return Object.values(found.names).some((names) => names.length > 0);
    case Id.nameConstraints: {
      const read = readNameConstraints(reader);
      found.nameConstraints = read.constraints;
      return read.understood;
    }
    case Id.subjectKeyId:
      found.subjectKeyId = reader.content(Tag.octetString, "subject key identifier");
      return true;
    case Id.authorityKeyId:
      found.authorityKeyId = readAuthorityKeyId(reader);
      return true;
    default:
      return WITHOUT_A_SAY.has(id);
  }
}

function readBasicConstraints(reader: DerReader): Extensions["constraints"] {
  const what = "basic constraints";
  const fields = reader.inside(Tag.sequence, what);
  const isCa = fields.peeks(Tag.boolean) && fields.boolean(what);
  const pathLength = fields.peeks(Tag.integer) ? fields.count(what) : undefined;
  return { isCa, pathLength };
}

const USAGES: ReadonlyMap<string, ExtendedUsage> = new Map([
  ["2.5.29.37.0", "any"],
  ["1.3.6.1.5.5.7.3.1", "server"],
  ["1.3.6.1.5.5.7.3.2", "client"],
]);

function readUsages(reader: DerReader): ExtendedUsage[] {
  const list = reader.inside(Tag.sequence, "extended key usages");
  const usages: ExtendedUsage[] = [];
  while (!list.isAtEnd) usages.push(USAGES.get(list.objectId("extended key usages")) ?? "other");
  return usages;
}

function readAlternativeNames(reader: DerReader): AlternativeNames {
  const what = "subject alternative names";
  const list = reader.inside(Tag.sequence, what);
  const dnsNames: string[] = [];
  const emails: string[] = [];
  const uris: string[] = [];
  const ips: Uint8Array[] = [];
  while (!list.isAtEnd) {
    const { tag, content } = list.any();
    if (tag === GeneralName.dns) dnsNames.push(readIa5(content));
    else if (tag === GeneralName.email) emails.push(readIa5(content));
    else if (tag === GeneralName.uri) uris.push(readIa5(content));
    else if (tag === GeneralName.ip) {
      if (content.length !== 4 && content.length !== 16) {
        throw new DerError(`an IP address of ${content.length} bytes`);
      }
      ips.push(content);
    }
  }
  return { dnsNames, emails, uris, ips };
}

const KEY_ID = 0x80;

function readAuthorityKeyId(reader: DerReader): Uint8Array {
  const fields = reader.inside(Tag.sequence, "authority key identifier");
  return fields.optional(KEY_ID)?.content ?? new Uint8Array();
}
