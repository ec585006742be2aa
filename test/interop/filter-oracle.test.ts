/** Our filter expressions beside HashiCorp's go-bexpr, on expressions out of a seed. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import { Filter, type Item } from "../../src/wire/filter.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(120_000);

const TEXTS = 3000;
const BATCH = 100;

const ITEMS: readonly Item[] = [
  {
    Name: "n1",
    Empty: "",
    Count: 3,
    Ratio: 1.5,
    Ready: true,
    not: "x",
    any: "y",
    Meta: { "os.name": "debian", rack: "r1", n: 7, deep: { er: { est: "x" } } },
    Tags: ["a", "b", "c"],
    Numbers: [1, 2, 3],
    List: [
      { Name: "eth0", Up: true },
      { Name: "lo", Up: false },
    ],
    None: [],
    Nothing: {},
    // Of one kind: Go goes through maps in any order.
    Flat: { a: "x", b: "y" },
  },
];

const NAMES = [
  ...["Name", "Empty", "Count", "Ratio", "Ready", "Meta", "Meta.rack", "Meta.none", "Tags", "None"],
  ...['Meta["os.name"]', "Meta[ `rack` ]", '"/Meta/rack"', '"/Meta/deep/er"', "Meta.deep.er.est"],
  ...[
    "Meta.deep.no.way",
    "Numbers",
    "Tags.0",
    "Tags.9",
    "Tags.x",
    "List.1.Name",
    "List",
    "Nothing",
  ],
  ...["Unknown", "not", "any", "x", "k", "v", "x.Name", "v.Up", "Name.more", "Meta[1]", "Tags[0]"],
];
const VALUES = [
  ...[
    "n1",
    '"n1"',
    "`n1`",
    '""',
    "3",
    "-3",
    "1.5",
    "03",
    "0x3",
    '"0x3"',
    "true",
    '"true"',
    "debian",
  ],
  ...[
    '"a"',
    "a",
    "r1",
    '"1"',
    "1",
    '"\\n"',
    '"\\q"',
    '"open',
    "`open",
    "1_0",
    '"1_0"',
    "eth0",
    "T",
  ],
  ...['"^n"', '"[0-9]+$"', '"("', "Meta.rack", '"/Meta/rack"', "7", '"é"', "0.", "12abc"],
];

class Generator {
  readonly #prng: ReturnType<typeof createPrng>;

  constructor(seed: number) {
    this.#prng = createPrng(seed);
  }

  text(): string {
    const whole = this.#expression(3);
    if (this.#chance(8)) return whole;
    // Something is missing, twice there, or out of place.
    const at = randomInt(this.#prng, whole.length + 1);
    const end = at + randomInt(this.#prng, 4);
    const extra = this.#of(["", " ", "(", ")", '"', "not ", " or ", "{", "]", "==", "_"]);
    return whole.slice(0, at) + extra + whole.slice(end);
  }

  #expression(depth: number): string {
    const roll = randomInt(this.#prng, depth > 0 ? 12 : 5);
    if (roll < 5) return this.#match();
    const inner = (): string => this.#expression(depth - 1);
    const space = this.#space();
    if (roll === 5) return `not${space}${inner()}`;
    if (roll === 6) return `(${this.#of(["", " "])}${inner()})`;
    if (roll < 9) return `${inner()}${space}and${space}${inner()}`;
    if (roll < 11) return `${inner()}${space}or${space}${inner()}`;
    const names = this.#of(["x", "k, v", "_, v", "k,_", "k , x", "v, v", "_"]);
    const list = this.#of(["Tags", "List", "Flat", "Numbers", "None", "Name", "Unknown", "x"]);
    return `${this.#of(["any", "all"])} ${list} as ${names} { ${inner()} }`;
  }

  #match(): string {
    const name = this.#of(NAMES);
    const space = this.#space();
    const value = this.#of(VALUES);
    const roll = randomInt(this.#prng, 10);
    if (roll < 4) return `${name}${this.#of(["==", " == ", "!=", " !="])}${value}`;
    const not = this.#of(["", "not "]);
    if (roll < 6) return `${value}${space}${not}in${space}${name}`;
    if (roll < 7) return `${name}${space}${not}contains ${value}`;
    if (roll < 8) return `${name}${space}${not}matches ${value}`;
    return `${name} is ${not}${this.#of(["empty", "nil", "null"])}`;
  }

  #space(): string {
    return this.#of([" ", " ", " ", "\n\t", "  ", ""]);
  }

  #chance(inTen: number): boolean {
    return randomInt(this.#prng, 10) < inTen;
  }

  #of(list: readonly string[]): string {
    return list[randomInt(this.#prng, list.length)] ?? "";
  }
}

function ours(text: string, item: Item): string {
  const filter = Filter.parse(text);
  if (typeof filter === "string") return "syntax";
  const answer = filter.matches(item);
  return typeof answer === "string" ? "item" : String(answer);
}

describe.if(mustRun)("go-bexpr and we", () => {
  test(`say the same of ${TEXTS} expressions`, async () => {
    await using peer = await Peer.start(buildPeer("filter-oracle", ".", "filter-oracle"), []);
    const generator = new Generator(42);
    const differences: unknown[] = [];
    const seen = new Map<string, number>();
    for (let at = 0; at < TEXTS; at += BATCH) {
      const texts = Array.from({ length: BATCH }, () => generator.text());
      const [item = {}] = ITEMS;
      const answers = await peer.ask(JSON.stringify({ Item: item, Texts: texts }));
      for (const [i, text] of texts.entries()) {
        const { Says, Why } = answers[i];
        // In JSON's lists the library takes numbers for texts; in Nomad's types there are none.
        if (text.includes("0x3") && text.includes("Numbers")) continue;
        const mine = ours(text, item);
        seen.set(Says, (seen.get(Says) ?? 0) + 1);
        if (mine !== Says) differences.push({ text, theirs: Says, ours: mine, Why });
      }
    }
    expect(differences).toEqual([]);
    for (const says of ["true", "false", "syntax", "item"]) {
      expect([says, (seen.get(says) ?? 0) > 100]).toEqual([says, true]);
    }
  });
});
