/**
 * RE2 expressions, as Go reads them: in time linear in the text, whatever a peer sends.
 *
 * @module
 */
import type { RE2JS } from "re2js";

/** A query that Serf lets through is no longer than this. */
const EXPRESSION_MAX = 1024;

/** Loaded with the first expression: it costs 9 MB that most agents never need. */
let library: typeof RE2JS | undefined;

/** Go's `regexp.MatchString`: unanchored; what cannot be compiled matches nothing. */
export function expressionMatches(expression: string, value: string): boolean {
  if (expression.length > EXPRESSION_MAX) return false;
  library ??= load();
  try {
    return library.compile(expression).matcher(value).find();
  } catch {
    return false;
  }
}

/** Go's `regexp.Compile`: what says whether a text matches, or why there is no such thing. */
export function compileExpression(expression: string): ((value: string) => boolean) | string {
  if (expression.length > EXPRESSION_MAX) return "expression too long";
  library ??= load();
  try {
    const compiled = library.compile(expression);
    return (value) => compiled.matcher(value).find();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function load(): typeof RE2JS {
  const loaded: { RE2JS: typeof RE2JS } = require("re2js");
  return loaded.RE2JS;
}
