/** The argument by which the executable becomes a parser for its parent. Not a command. */
export const PARSE_HCL = "--internal-parse-hcl";
