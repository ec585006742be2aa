/** What becomes JSON: the answers of this API. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** JSON that was written before, as it is to stand there. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value that is JSON already: one that many ask for is written once. */
export class JsonText {
  readonly bytes: Uint8Array<ArrayBuffer>;

  constructor(value: unknown) {
    this.bytes = new TextEncoder().encode(
      value instanceof Json ? value.text : JSON.stringify(value),
    );
  }

  get value(): unknown {
    return JSON.parse(new TextDecoder().decode(this.bytes));
  }
}
