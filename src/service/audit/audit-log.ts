/**
 * Who changed what: a line of JSON when a change is asked for, and one when it is answered, in the
 * form of Nomad Enterprise's audit log. Neither bodies nor tokens are in it, and of what callers
 * write themselves only what looks like no secret.
 *
 * @module
 */
import type { AuditFilter } from "../../config/config.ts";
import type { Log, LogFields } from "../../host/host.ts";

type Stage = "OperationReceived" | "OperationComplete";

/** What is asked for. */
export interface AuditRequest {
  readonly type: AuditFilter["type"];
  /** PUT, say; of an RPC its method. */
  readonly operation: string;
  /** A path without its query, or the method again. */
  readonly endpoint: string;
  /** Parameters that say what the change is about. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly from: AuditOrigin;
}

/** What its connection tells of whoever asks. */
export interface AuditOrigin {
  /** host:port */
  readonly address: string;
  /** Of its certificate, if it has shown one. */
  readonly names?: readonly string[] | undefined;
  readonly fingerprint?: string | undefined;
  readonly userAgent?: string;
  /** Of its token, where there are ACLs. */
  readonly token?: Readonly<Record<string, string | boolean>> | undefined;
}

interface AuditAnswer {
  /** Of HTTP. */
  readonly status?: number;
  /** "": none */
  readonly error: string;
}

/** Where lines go. */
export interface AuditOutput {
  readonly path: string;
  readonly isEnforced: boolean;
  /** A line, whole or not at all. @throws the system's error */
  append(line: string): void;
  reopen(): void;
  close(): void;
}

interface AuditLogInit {
  readonly outputs: readonly AuditOutput[];
  readonly filters: readonly AuditFilter[];
  /** Who we are. */
  readonly node: Readonly<Record<string, string>>;
  readonly wallMs: () => number;
  readonly newId: () => string;
  readonly redact: (text: string) => string;
  readonly log: Log;
}

/** A change that is not done, since it cannot be written down. */
export class AuditError extends Error {
  override readonly name = "AuditError";
}

/** Of one text that a caller chose. */
const TEXT_LENGTH_MAX = 512;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

export class AuditLog {
  readonly #init: AuditLogInit;
  /** Lines that are written, and those that could not be. */
  written = 0;
  failed = 0;
  /** Why the last line could not be written; "": it was. */
  problem = "";

  constructor(init: AuditLogInit) {
    this.#init = init;
  }

  /**
   * Before the change.
   *
   * @returns what to call with the answer
   * @throws AuditError: it is not to be done
   */
  begin(request: AuditRequest): (answer: AuditAnswer) => void {
    const id = this.#init.newId();
    const refusal = this.#write("OperationReceived", id, request, undefined);
    if (refusal !== undefined) throw new AuditError(refusal);
    // What is done is done, and is answered as what it is: the next change is refused.
    return (answer) => void this.#write("OperationComplete", id, request, answer);
  }

  reopen(): void {
    for (const output of this.#init.outputs) output.reopen();
  }

  close(): void {
    for (const output of this.#init.outputs) output.close();
  }

  /** @returns why an output that must have it does not */
  #write(
    stage: Stage,
    id: string,
    request: AuditRequest,
    answer: AuditAnswer | undefined,
  ): string | undefined {
    const { outputs, filters } = this.#init;
    if (filters.some((filter) => fits(filter, stage, request))) return undefined;
    const line = JSON.stringify(this.#event(stage, id, request, answer));
    let refusal: string | undefined;
    for (const output of outputs) {
      try {
        output.append(line);
        this.written += 1;
        this.problem = "";
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#failed(output, why);
        if (output.isEnforced) refusal = `the audit log ${output.path} cannot be written: ${why}`;
      }
    }
    return refusal;
  }

  #failed({ path, isEnforced }: AuditOutput, why: string): void {
    this.failed += 1;
    const isNews = this.problem === "";
    this.problem = `the audit log ${path} cannot be written: ${why}`;
    const fields: LogFields = { path, error: why, changes: isEnforced ? "refused" : "go on" };
    if (isNews) this.#init.log.error("the audit log cannot be written", fields);
  }

  #event(stage: Stage, id: string, request: AuditRequest, answer: AuditAnswer | undefined): object {
    const { newId, node, wallMs } = this.#init;
    const { operation, endpoint, parameters = {}, namespace = "default", from } = request;
    const time = new Date(wallMs()).toISOString();
    const told = Object.entries(parameters).map(([key, value]) => [key, this.#told(value)]);
    const payload = {
      id: newId(),
      stage,
      type: "audit",
      timestamp: time,
      version: 1,
      auth: this.#auth(from),
      request: {
        id,
        operation: this.#told(operation),
        endpoint: this.#path(endpoint),
        namespace: { id: this.#told(namespace) },
        ...(told.length === 0 ? {} : { parameters: Object.fromEntries(told) }),
        request_meta: {
          remote_address: from.address,
          user_agent: this.#told(from.userAgent ?? ""),
        },
        node_meta: node,
      },
      ...(answer === undefined ? {} : { response: this.#response(answer) }),
    };
    return { created_at: time, event_type: "audit", payload };
  }

  #auth({ names, fingerprint, token }: AuditOrigin): object {
    const certificate = { names: names?.slice(0, 16).map((name) => this.#told(name)), fingerprint };
    return { ...token, ...(fingerprint === undefined ? {} : { certificate }) };
  }

  #response({ status, error }: AuditAnswer): object {
    return {
      ...(status === undefined ? {} : { status_code: status }),
      ...(error === "" ? {} : { error: this.#told(error) }),
    };
  }

  /** Ids of nodes and accessors say what was changed, and are no secrets. */
  #path(path: string): string {
    return path
      .slice(0, TEXT_LENGTH_MAX)
      .split("/")
      .map((part) => this.#told(part))
      .join("/");
  }

  #told(text: string): string {
    if (UUID.test(text)) return text;
    return this.#init.redact(text.slice(0, TEXT_LENGTH_MAX));
  }
}

function fits(filter: AuditFilter, stage: Stage, request: AuditRequest): boolean {
  const { type, endpoints, stages, operations } = filter;
  const isOne = (all: readonly string[], one: string): boolean =>
    all.some((each) => each === "*" || each === one);
  const hasEndpoint = endpoints.some((each) => {
    const isStart = each.endsWith("*") && request.endpoint.startsWith(each.slice(0, -1));
    return isStart || each === request.endpoint;
  });
  const hasOperation = isOne(operations, request.operation.toUpperCase());
  return type === request.type && hasEndpoint && isOne(stages, stage) && hasOperation;
}
