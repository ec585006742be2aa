/** Every answer that a test sees is what the table of endpoints says of it. */
import { getSchemaValidator, type TSchema } from "elysia";
import { type Declared, declaredIn, type Shape, twinsOf } from "../src/http/endpoint.ts";
import { SCHEMAS } from "../src/http/schemas/all.ts";
import { createTable } from "../src/http/table.ts";

interface Seen {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** All endpoints; none of them can be asked. */
export const TABLE: readonly Declared[] = declaredIn(
  createTable(Object({ context: {}, gate: {}, failed: () => undefined })),
);

const validators = new Map<Shape, ReturnType<typeof getSchemaValidator>>();

/** @throws Error that says what is otherwise */
export function expectDeclared({ method, path, status, type, body }: Seen): void {
  const [name = ""] = path.split("?");
  const endpoint = endpointOf(method === "HEAD" ? "GET" : method, name);
  if (endpoint === undefined || endpoint.streams === true || method === "HEAD") return;
  const { statuses = [200], answers, refuses } = endpoint;
  const isGood = statuses.includes(status);
  if (!isGood && status < 400) throw new Error(`${method} ${path}: ${status} is not declared`);
  if (!isGood || refuses !== undefined) return;
  if (body === "" || type !== "application/json") return;
  if (answers === undefined) throw new Error(`${method} ${path}: no answer is declared: ${body}`);
  const validator = validatorOf(answers);
  if (validator === undefined || validator.Check(JSON.parse(body))) return;
  const [first] = [...validator.Errors(JSON.parse(body))];
  throw new Error(
    `${method} ${path}: not as ${answers}: ${first?.path} ${first?.message}: ${body.slice(0, 2000)}`,
  );
}

/** The more particular one first, as the router finds it. */
function endpointOf(method: string, path: string): Declared | undefined {
  const fitting = TABLE.filter((one) => {
    if (one.method !== method && !twinsOf(one, one.method).some((twin) => twin === method)) {
      return false;
    }
    const form = one.path.replaceAll(/:\w+/g, "[^/]+").replace("*", ".+");
    return new RegExp(`^${form}$`).test(path);
  });
  return fitting.find((one) => one.path === path) ?? fitting.toSorted(byNames)[0];
}

function byNames(a: Declared, b: Declared): number {
  const names = ({ path }: Declared): number => path.split(/[:*]/).length;
  return names(a) - names(b);
}

function validatorOf(shape: Shape): ReturnType<typeof getSchemaValidator> | undefined {
  if (shape === "application/x-gzip") return undefined;
  const schema: TSchema = SCHEMAS[shape];
  const known = validators.get(shape) ?? getSchemaValidator(schema, { normalize: false });
  validators.set(shape, known);
  return known;
}
