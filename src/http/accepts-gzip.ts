/** Whether an answer may be packed: its caller says so. */
import type { RequestHead } from "./body.ts";

/** RFC 9110 12.5.3: named, or by the star, and not with a weight of 0. */
export function acceptsGzip({ headers }: Pick<RequestHead, "headers">): boolean {
  if (headers["accept-encoding"] === undefined) return false;
  const accepts = String(headers["accept-encoding"] ?? "").toLowerCase();
  const weights = new Map(
    accepts.split(",").map((part) => {
      const [coding = "", ...parameters] = part.split(";").map((one) => one.trim());
      const weight = parameters.find((one) => /^q\s*=/.test(one))?.replace(/^q\s*=\s*/, "");
      return [coding, weight === undefined ? 1 : Number(weight)] as const;
    }),
  );
  return (weights.get("gzip") ?? weights.get("*") ?? 0) > 0;
}
