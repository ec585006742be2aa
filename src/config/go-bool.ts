/** Booleans as Go reads them (strconv.ParseBool): flags and query parameters are full of them. */

/** undefined: it is neither. */
export function parseGoBool(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}
