/**
 * What is wrong with a token, a policy or a role that somebody wants to have, in Nomad's words; and
 * what a server fills in.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { blake2b256 } from "../../host/digest.ts";
import {
  type AclPolicy,
  type AclRole,
  type AclToken,
  CLIENT_TOKEN,
  isZeroTime,
  MANAGEMENT_TOKEN,
  namesOf,
} from "../../state/acl/acl.ts";
import { type GoTime, timeOf } from "../../wire/codec.ts";
import { formatDurationMs } from "../../wire/duration.ts";
import { parsePolicy } from "./parse-policy.ts";

const NAME_CHARACTERS_MAX = 256;
const POLICY_NAME = /^[a-zA-Z0-9-]{1,128}$/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

export interface ExpirationLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A new one gets its ids and its times here; of a known one the times stay. */
export function completed(token: AclToken, known: AclToken | undefined, nowMs: number): AclToken {
  if (known !== undefined) {
    const { CreateTime, SecretID, ExpirationTime } = known;
    return {
      ...token,
      CreateTime,
      SecretID,
      ExpirationTime: token.ExpirationTime ?? ExpirationTime,
    };
  }
  const isNew = token.AccessorID === "";
  const ids = isNew ? { AccessorID: randomUUID(), SecretID: randomUUID() } : {};
  const CreateTime = isNew || isZeroTime(token.CreateTime) ? timeOf(nowMs) : token.CreateTime;
  const isTtl = token.ExpirationTime === null && token.ExpirationTTL !== 0n;
  const ExpirationTime = isTtl ? later(CreateTime, token.ExpirationTTL) : token.ExpirationTime;
  return { ...token, ...ids, CreateTime, ExpirationTime };
}

function later({ seconds, nanos, zoneMinutes }: GoTime, ttlNanos: bigint): GoTime {
  const all = seconds * NANOS + BigInt(nanos) + ttlNanos;
  const left = all % NANOS;
  return { seconds: (all - left) / NANOS, nanos: Number(left), zoneMinutes };
}

const NANOS = 1_000_000_000n;

function nanosOf({ seconds, nanos }: GoTime): bigint {
  return seconds * NANOS + BigInt(nanos);
}

/** @returns one text for all that is wrong, or undefined */
export function tokenFault(
  token: AclToken,
  known: AclToken | undefined,
  limits: ExpirationLimits,
): string | undefined {
  const faults: string[] = [];
  if (Buffer.byteLength(token.Name) > NAME_CHARACTERS_MAX) faults.push("token name too long");
  const linked = (token.Policies ?? []).length + (token.Roles ?? []).length > 0;
  if (token.Type === CLIENT_TOKEN) {
    if (!linked) faults.push("client token missing policies or roles");
  } else if (token.Type !== MANAGEMENT_TOKEN) {
    faults.push("token type must be client or management");
  } else if (linked) {
    faults.push("management token cannot be associated with policies or roles");
  }
  const more = known === undefined ? expirationFaults(token, limits) : changeFaults(token, known);
  return together([...faults, ...more]);
}

function expirationFaults(token: AclToken, { minMs, maxMs }: ExpirationLimits): readonly string[] {
  const { ExpirationTTL, ExpirationTime: end, CreateTime } = token;
  const faults: string[] = [];
  if (ExpirationTTL < 0n) {
    const shown = formatDurationMs(Number(ExpirationTTL) / 1e6);
    faults.push(`token expiration TTL '${shown}' should not be negative`);
  }
  if (end === null || isZeroTime(end)) return faults;
  const ms = Number(nanosOf(end) - nanosOf(CreateTime)) / 1e6;
  if (ms < 0) faults.push("expiration time cannot be before create time");
  const was = `in the future (was ${formatDurationMs(Math.max(0, ms))})`;
  if (ms > maxMs) {
    faults.push(`expiration time cannot be more than ${formatDurationMs(maxMs)} ${was}`);
  } else if (ms < minMs) {
    faults.push(`expiration time cannot be less than ${formatDurationMs(minMs)} ${was}`);
  }
  return faults;
}

function changeFaults(token: AclToken, known: AclToken): readonly string[] {
  const faults: string[] = [];
  if (known.Global !== token.Global) faults.push("cannot toggle global mode");
  if (known.ExpirationTTL !== token.ExpirationTTL) faults.push("cannot update expiration TTL");
  const [was, is] = [known.ExpirationTime, token.ExpirationTime];
  if (is !== null && (was === null || nanosOf(was) !== nanosOf(is))) {
    faults.push("cannot update expiration time");
  }
  return faults;
}

export function policyFault(policy: AclPolicy): string | undefined {
  const faults: string[] = [];
  if (!POLICY_NAME.test(policy.Name)) faults.push(`invalid name '${policy.Name.slice(0, 128)}'`);
  const rules = parsePolicy(policy.Rules, true);
  if (typeof rules === "string") faults.push(`failed to parse rules: ${rules}`);
  if (Buffer.byteLength(policy.Description) > NAME_CHARACTERS_MAX) {
    faults.push(`description longer than ${NAME_CHARACTERS_MAX}`);
  }
  const { Namespace = "", JobID = "", Group = "", Task = "" } = policy.JobACL ?? {};
  if (JobID !== "" && Namespace === "") faults.push("namespace must be set to set job ID");
  if (Group !== "" && JobID === "") faults.push("job ID must be set to set group");
  if (Task !== "" && Group === "") faults.push("group must be set to set task");
  return together(faults);
}

export function roleFault(role: AclRole): string | undefined {
  const faults: string[] = [];
  if (!POLICY_NAME.test(role.Name)) faults.push(`invalid name '${role.Name.slice(0, 128)}'`);
  if (Buffer.byteLength(role.Description) > NAME_CHARACTERS_MAX) {
    faults.push(`description longer than ${NAME_CHARACTERS_MAX}`);
  }
  if ((role.Policies ?? []).length === 0) faults.push("at least one policy should be specified");
  return together(faults);
}

/** As Go's multierror writes them. */
function together(faults: readonly string[]): string | undefined {
  if (faults.length === 0) return undefined;
  const count = faults.length === 1 ? "1 error" : `${faults.length} errors`;
  return `${count} occurred:\n\t* ${faults.join("\n\t* ")}\n\n`;
}

/** What somebody may change of it, so that other regions see that it has changed. */
export function tokenHash(token: AclToken): Uint8Array {
  const roles = (token.Roles ?? []).map((link) => link?.ID ?? "");
  const locality = token.Global ? "global" : "local";
  return blake2b256(token.Name, token.Type, ...(token.Policies ?? []), locality, ...roles);
}

export function policyHash({ Name, Description, Rules, JobACL }: AclPolicy): Uint8Array {
  const { Namespace = "", JobID = "", Group = "", Task = "" } = JobACL ?? {};
  return blake2b256(Name, Description, Rules, Namespace, JobID, Group, Task);
}

export function roleHash({ Name, Description, Policies }: AclRole): Uint8Array {
  return blake2b256(Name, Description, ...namesOf(Policies));
}
