/** PEM as Go's encoding/pem finds it: a block begins and ends with a line of its own. */

interface PemBlock {
  /** `CERTIFICATE` */
  readonly type: string;
  /** Proc-Type and the like: Go passes over certificates that have some. */
  readonly hasHeaders: boolean;
  readonly bytes: Uint8Array;
  /** Of its first line, from 1. */
  readonly line: number;
}

export interface PemFile {
  readonly blocks: readonly PemBlock[];
  /** Lines, from 1, of what looks like the beginning of a block, and is none. */
  readonly lost: readonly number[];
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const BEGIN = /^-----BEGIN (.*)-----[ \t]*$/;
const END = /^-----END /;

export function readPem(text: string): PemFile {
  const lines = text.split(/\r?\n/);
  const blocks: PemBlock[] = [];
  const lost: number[] = [];
  let begin: number | undefined;
  let isOrphan = false;
  lines.forEach((line, at) => {
    if (END.test(line)) {
      const block = begin === undefined ? undefined : readBlock(lines.slice(begin, at + 1), begin);
      if (block !== undefined) blocks.push(block);
      else if (begin !== undefined || !isOrphan) lost.push((begin ?? at) + 1);
      begin = undefined;
      isOrphan = false;
    } else if (line.includes("-----BEGIN ")) {
      if (begin !== undefined) lost.push(begin + 1);
      begin = BEGIN.test(line) ? at : undefined;
      isOrphan = begin === undefined;
      if (isOrphan) lost.push(at + 1);
    }
  });
  if (begin !== undefined) lost.push(begin + 1);
  return { blocks, lost: [...new Set(lost)] };
}

function readBlock(lines: readonly string[], begin: number): PemBlock | undefined {
  const type = BEGIN.exec(lines[0] ?? "")?.[1];
  if (type === undefined || lines.at(-1)?.trimEnd() !== `-----END ${type}-----`) return undefined;
  const inside = lines.slice(1, -1);
  const headers = inside.findIndex((line) => !line.includes(":"));
  const body = inside.slice(headers < 0 ? inside.length : headers).join("");
  const base64 = body.replaceAll(/[ \t]/g, "");
  if (!BASE64.test(base64)) return undefined;
  const bytes = new Uint8Array(Buffer.from(base64, "base64"));
  return { type, hasHeaders: headers !== 0 && inside.length > 0, bytes, line: begin + 1 };
}

export function writePem(type: string, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${type}-----\n${lines.join("\n")}\n-----END ${type}-----\n`;
}
