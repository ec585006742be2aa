/** Bodies of the Status methods (wire/rpc-and-raft.md §5.1). */
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** Fields that every read request carries, as far as we look at them. */
export interface QueryOptions {
  readonly region: string;
  readonly allowStale: boolean;
}

const QUERY_FIELDS = ["Region", "AllowStale"];
/** Written in byte order of the names, zero or not, as Go does. */
const QUERY_ORDER = [
  "AllowStale",
  "AuthToken",
  "Filter",
  "Forwarded",
  "MaxQueryTime",
  "MinQueryIndex",
  "Namespace",
  "NextToken",
  "PerPage",
  "Prefix",
  "Region",
  "Reverse",
] as const;

export function encodeQueryOptions(options: QueryOptions): Uint8Array {
  const out = new MsgpackWriter().map(QUERY_ORDER.length);
  for (const name of QUERY_ORDER) {
    out.key(name);
    if (name === "AllowStale") out.bool(options.allowStale);
    else if (name === "Forwarded" || name === "Reverse") out.bool(false);
    else if (name === "MaxQueryTime" || name === "PerPage") out.int(0);
    else if (name === "MinQueryIndex") out.uint(0);
    else out.text(name === "Region" ? options.region : "");
  }
  return out.take();
}

/** undefined: not a request. */
export function decodeQueryOptions(body: Uint8Array): QueryOptions | undefined {
  const reader = new MsgpackReader(body);
  let region = "";
  let allowStale = false;
  reader.struct(QUERY_FIELDS, (name) => {
    if (name === "Region") region = reader.text();
    else allowStale = reader.bool();
  });
  return reader.ok ? { region, allowStale } : undefined;
}

export interface ServerMember {
  readonly name: string;
  readonly addr: Uint8Array;
  readonly port: number;
  readonly tags: ReadonlyMap<string, string>;
  readonly status: string;
  /** memberlist minimum, maximum, current, Serf minimum, maximum, current. */
  readonly versions: Uint8Array;
}

export interface ServerMembers {
  readonly serverName: string;
  readonly serverRegion: string;
  readonly serverDc: string;
  readonly members: readonly ServerMember[];
}

const MEMBERS_FIELDS = ["ServerName", "ServerRegion", "ServerDC", "Members"];
const VERSION_FIELDS = [
  "ProtocolMin",
  "ProtocolMax",
  "ProtocolCur",
  "DelegateMin",
  "DelegateMax",
  "DelegateCur",
];
const MEMBER_FIELDS = ["Name", "Addr", "Port", "Tags", "Status", ...VERSION_FIELDS];
const MEMBERS_MAX = 100_000;

export function encodeServerMembers(reply: ServerMembers): Uint8Array {
  const out = new MsgpackWriter(1024).map(4).key("Members").array(reply.members.length);
  for (const member of reply.members) encodeServerMember(out, member);
  out.key("ServerDC").text(reply.serverDc).key("ServerName").text(reply.serverName);
  return out.key("ServerRegion").text(reply.serverRegion).take();
}

function encodeServerMember(out: MsgpackWriter, member: ServerMember): void {
  const version = (name: string): number => member.versions[VERSION_FIELDS.indexOf(name)] ?? 0;
  out.map(11).key("Addr").raw(member.addr);
  for (const name of ["DelegateCur", "DelegateMax", "DelegateMin"])
    out.key(name).uint(version(name));
  out.key("Name").text(member.name).key("Port").uint(member.port);
  for (const name of ["ProtocolCur", "ProtocolMax", "ProtocolMin"])
    out.key(name).uint(version(name));
  out.key("Status").text(member.status).key("Tags").map(member.tags.size);
  for (const [key, value] of member.tags) out.text(key).text(value);
}

export function decodeServerMembers(body: Uint8Array): ServerMembers | undefined {
  const reader = new MsgpackReader(body);
  let [serverName, serverRegion, serverDc] = ["", "", ""];
  const members: ServerMember[] = [];
  reader.struct(MEMBERS_FIELDS, (name) => {
    if (name === "ServerName") serverName = reader.text();
    else if (name === "ServerRegion") serverRegion = reader.text();
    else if (name === "ServerDC") serverDc = reader.text();
    else {
      const count = Math.min(reader.array(), MEMBERS_MAX);
      for (let i = 0; i < count && reader.ok; i++) members.push(decodeServerMember(reader));
    }
  });
  return reader.ok ? { serverName, serverRegion, serverDc, members } : undefined;
}

function decodeServerMember(reader: MsgpackReader): ServerMember {
  let [name, status] = ["", ""];
  let addr: Uint8Array = new Uint8Array(0);
  let port = 0;
  const tags = new Map<string, string>();
  const versions = new Uint8Array(6);
  reader.struct(MEMBER_FIELDS, (field) => {
    if (field === "Name") name = reader.text();
    else if (field === "Status") status = reader.text();
    else if (field === "Addr") addr = reader.raw()?.slice() ?? addr;
    else if (field === "Port") port = reader.uint(0xffff);
    else if (field === "Tags") {
      const count = reader.map();
      for (let i = 0; i < count && reader.ok; i++) tags.set(reader.text(), reader.text());
    } else versions[VERSION_FIELDS.indexOf(field)] = reader.uint(0xff);
  });
  return { name, addr, port, tags, status, versions };
}

/** `[]string`; nil when empty, as Go's nil slice. */
export function encodeTexts(texts: readonly string[]): Uint8Array {
  const out = new MsgpackWriter();
  if (texts.length === 0) return out.nil().take();
  out.array(texts.length);
  for (const text of texts) out.text(text);
  return out.take();
}

/** `struct{}` */
export function encodeEmpty(): Uint8Array {
  return new MsgpackWriter().map(0).take();
}
