/**
 * What an endpoint says of itself, beside its path, its handler and the schema of its query: all
 * that the guard, the OpenAPI document, the README's table and the tests need to know of it.
 *
 * @module
 */
import type { AnyElysia, Static, TSchema } from "elysia";
import type { Need } from "../state/acl/need.ts";
import type { SCHEMAS } from "./schemas/all.ts";

/** A schema by its name, which is loaded with the document only; or bytes of a type. */
export type Shape = keyof typeof SCHEMAS | "application/x-gzip";

/** What a handler returns whose answer has that schema: the compiler sees where they differ. */
export type AnswerOf<Name extends keyof typeof SCHEMAS> = Frozen<Static<(typeof SCHEMAS)[Name]>>;

type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;

export type Method = "GET" | "PUT" | "POST" | "DELETE";

export interface Endpoint {
  /** One line, for people. */
  readonly summary: string;
  /** Of a token, where there are ACLs. */
  readonly needs: Need | readonly Need[];
  /**
   * Changes something or shows a secret: where there are no ACLs, for operators only. What is not
   * a GET is, unless it says otherwise.
   */
  readonly guarded?: boolean;
  /** Other methods that mean the same (default: POST is PUT). */
  readonly also?: readonly Method[];
  /** With `index` it waits for a change. */
  readonly blocks?: boolean;
  /** The answer tells its index, and how fresh it is. */
  readonly indexed?: boolean;
  /** Who answers: this agent, a server of the region (any with `stale`), or the region's leader. */
  readonly from: "agent" | "region" | "leader";
  /** The answer has no end. */
  readonly streams?: boolean;
  /** Web pages of any origin may read it, as in Nomad. */
  readonly cors?: boolean;
  /** Of the body, by its name. */
  readonly takes?: Shape;
  /** Of the answer, by its name; nothing: an empty body. */
  readonly answers?: Shape;
  /** Of an answer that is no error (default: 200). */
  readonly statuses?: readonly number[];
  /** It is there to be refused, with this status. */
  readonly refuses?: number;
  /** Said to other methods (default: 405 Invalid method). */
  readonly otherwise?: { readonly status: number; readonly text: string };
}

/** An endpoint with all that was declared of it. */
export interface Declared extends Endpoint {
  readonly method: Method;
  /** Elysia's: `:name` is a parameter, `*` the rest. */
  readonly path: string;
  /** The plugin that it belongs to. */
  readonly query: TSchema | undefined;
}

/** Where Elysia keeps it: what tells of a route to documents. */
export const DETAIL = "x-endpoint";

/** All endpoints, in the order of their declaration; a method that means the same is none. */
export function declaredIn(app: Pick<AnyElysia, "routes">): readonly Declared[] {
  return app.routes.flatMap(({ method, path, hooks }) => {
    const endpoint: Endpoint | undefined = hooks.detail?.[DETAIL];
    const known = METHODS.find((one) => one === method);
    if (endpoint === undefined || known === undefined) return [];
    return [{ ...endpoint, method: known, path, query: hooks.query }];
  });
}

export const METHODS: readonly Method[] = ["GET", "PUT", "POST", "DELETE"];

/** Other methods that mean the same. */
export function twinsOf({ also }: Endpoint, method: string): readonly Method[] {
  return also ?? (method === "PUT" ? ["POST"] : []);
}
