/** Configuration texts out of a seed: valid ones in every spelling of HCL 1, and damaged ones. */
import { createPrng, randomInt } from "../../src/protocol/prng.ts";

const KEYS = [
  "a",
  "server",
  "Enabled",
  "x-y",
  "m.n_o",
  "_k",
  '"q k"',
  '"a.b"',
  '"t\\tb"',
  "ключ",
  "k9",
];
const TEXTS = [
  '""',
  '"plain"',
  '"a#b//c/*d*/"',
  '"q\\"t\\tn\\n\\\\"',
  '"\\x41\\101\\u00e9\\U0001f680"',
  '"\\a\\b\\f\\v"',
  '"100%{x}"',
  '"${attr.x}"',
  '"a ${f("q {z} }")} b"',
  '"$${x}\\t$"',
  '"дц-🚀"',
  '"{}[]=,"',
];
const NUMBERS = ["0", "7", "-3", "1.50", "0x1F", "0644", "1e3", "-0.5", ".5", "10.", "0X2a"];
const COMMENTS = ["# c\n", "// c = 1\n", "/* a\n b */"];
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  "=",
  ",",
  '"',
  "\n",
  "\\",
  "<<E",
  "E\n",
  "a",
  "0",
  "#",
  "/*",
  "$",
  "${",
  "-",
  ".",
  " ",
];

export class Generator {
  readonly #prng;

  constructor(seed: number) {
    this.#prng = createPrng(seed);
  }

  int(below: number): number {
    return randomInt(this.#prng, below);
  }

  pick<T>(from: readonly T[]): T {
    const found = from[this.int(from.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  hcl(depth = 3): string {
    let text = "";
    for (let i = this.int(5); i > 0; i--) {
      text += this.#entry(depth) + this.pick(["\n", "\n", "\r\n", " ", ", ", ",\n", "\n\n"]);
      if (this.int(6) === 0) text += this.pick(COMMENTS);
    }
    return text;
  }

  #entry(depth: number): string {
    const key = this.pick(KEYS);
    if (depth === 0 || this.int(3) > 0)
      return `${key}${this.#blank()}=${this.#blank()}${this.#value(depth)}`;
    const labels = Array.from({ length: this.int(3) }, () => this.pick(KEYS));
    return `${[key, ...labels].join(" ")} {${this.#line()}${this.hcl(depth - 1)}}`;
  }

  #value(depth: number): string {
    switch (this.int(depth === 0 ? 4 : 7)) {
      case 0:
        return this.pick(NUMBERS);
      case 1:
        return this.pick(["true", "false"]);
      case 2:
        return this.pick([
          "<<E\n a\n\tb ${x}\nE\n",
          "<<-END\n    a\n      b\n    END\n",
          "<<-E\n a\n   E\n",
          "<<E\nE\n",
        ]);
      case 4:
        return `{${this.#line()}${this.hcl(depth - 1)}}`;
      case 5:
        return `[${Array.from({ length: this.int(4) }, () => this.#value(depth - 1)).join(this.pick([",", ", ", ",\n", " , # c\n"]))}${this.pick(["", ",", "\n"])}]`;
      default:
        return this.pick(TEXTS);
    }
  }

  json(depth = 3): string {
    const entries = Array.from({ length: this.int(4) }, () => {
      return `${this.pick(['"a"', '"server"', '"Server"', '"x.y"', '"__proto__"', '"\\u00e9"'])}${this.#blank()}:${this.#json(depth)}`;
    });
    return `{${this.#line()}${entries.join(", ")}${entries.length > 0 && this.int(4) === 0 ? "," : ""}}`;
  }

  #json(depth: number): string {
    switch (this.int(depth === 0 ? 3 : 6)) {
      case 0:
        return this.pick(["0", "7", "-3", "1.50", "1e3"]);
      case 1:
        return this.pick(["true", "false", "null"]);
      case 3:
        return this.json(depth - 1);
      case 4:
        return `[${Array.from({ length: this.int(4) }, () => this.pick([this.json(depth - 1), this.json(depth - 1)])).join(",")}]`;
      case 5:
        return `[${Array.from({ length: this.int(4) }, () => this.pick(['"a"', "1", '"b\\n"'])).join(", ")}]`;
      default:
        return this.pick(['""', '"text"', '"t\\t\\"\\\\"', '"${x}"', '"é"', '"\\u0041"']);
    }
  }

  /** Something in it is gone, doubled, or new. */
  damage(text: string): string {
    let damaged = [...text];
    for (let i = 1 + this.int(3); i > 0; i--) {
      const at = this.int(damaged.length + 1);
      const length = this.int(4);
      const [before, cut, after] = [
        damaged.slice(0, at),
        damaged.slice(at, at + length),
        damaged.slice(at + length),
      ];
      const piece = [this.pick(PIECES)];
      const instead = [piece, [], [...cut, ...cut], [...piece, ...cut]];
      damaged = [...before, ...this.pick(instead), ...after];
    }
    return damaged.join("");
  }

  #blank(): string {
    return this.pick(["", " ", " ", "\t", " /* c */ "]);
  }

  #line(): string {
    return this.pick([" ", "\n", "\r\n", ""]);
  }
}
