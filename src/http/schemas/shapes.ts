/** What the schemas are put together from. They are loaded when somebody asks for the document. */
import { type TSchema, t } from "elysia";

type Fields = Readonly<Record<string, TSchema>>;

/** An object with these fields and no others. */
export function exactly<T extends Fields>(fields: T) {
  return t.Object(fields, { additionalProperties: false });
}

/** An object with these fields, and with more: another kind of server may add some. */
export function atLeast<T extends Fields>(fields: T) {
  return t.Object(fields, { additionalProperties: true });
}

export function orNull<T extends TSchema>(schema: T) {
  return t.Union([schema, t.Null()]);
}

/** Names that nobody knows before. */
export function mapOf<T extends TSchema>(schema: T) {
  return t.Record(t.String(), schema);
}

export const text = t.String();
export const flag = t.Boolean();
// Elysia's own integers may be texts, too.
export const whole = t.Number({ multipleOf: 1 });
export const number = t.Number();
export const texts = t.Array(text);
/** RFC 3339. */
export const time = t.String({ format: "date-time" });
/** Counts by reason. */
export const counts = mapOf(whole);
/** A whole number from 0 on, in 32 bits. */
export const count = t.Number({ multipleOf: 1, minimum: 0, maximum: 0xffff_ffff });
/** As Go writes it ("24h"), or in nanoseconds. */
export const duration = t.Union([
  t.String({ pattern: "^(\\d+(\\.\\d+)?(ns|us|ms|s|m|h))+$" }),
  t.Number({ multipleOf: 1, minimum: 0 }),
]);
export const anything = t.Unknown();
