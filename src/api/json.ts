/** What becomes JSON: the answers of this API. */
export type JsonObject = Readonly<Record<string, unknown>>;
