/**
 * Filter expressions of list endpoints, in go-bexpr's grammar (v0.1.16): text to a tree. Reading
 * takes time linear in the text: each place is read once for each of the few things it may begin.
 *
 * @module
 */

type Operator = "==" | "in" | "matches" | "empty" | "nil";

/** One comparison. */
export interface Match {
  readonly kind: "match";
  readonly path: readonly string[];
  readonly operator: Operator;
  readonly negated: boolean;
  /** "" where the operator has none. */
  readonly value: string;
}

/** `any LIST as NAMES { EXPRESSION }`, or `all`. */
interface Collection {
  readonly kind: "any" | "all";
  readonly path: readonly string[];
  /** `as x`: of a map the key, of a list the item. */
  readonly name: string;
  readonly index: string;
  readonly item: string;
  readonly inner: Expression;
}

interface Junction {
  readonly kind: "and" | "or";
  readonly parts: readonly Expression[];
}

export type Expression =
  | Match
  | Collection
  | Junction
  | { readonly kind: "not"; readonly inner: Expression };

/** Nobody types more, and each item of a list is compared with all of it. */
const TEXT_MAX = 8192;
const DEPTH_MAX = 64;

const IDENTIFIER = /[a-zA-Z][a-zA-Z0-9_/]*/y;
const POINTER = /"((?:\/[\p{L}\p{N}\-_.~:|]+)*)"/uy;
const DIGITS = /\.(\d+)/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?=[ \t\r\n)]|$)/y;
const QUOTED = /`([^`]*)`|"([^"]*)"/y;
const SPACE = /[ \t\r\n]+/y;
const WITH_VALUE =
  /[ \t\r\n]*(==|!=)[ \t\r\n]*|[ \t\r\n]+(?:(not)[ \t\r\n]+)?(contains|matches)[ \t\r\n]+/y;
const WITHOUT_VALUE = /[ \t\r\n]+is[ \t\r\n]+(?:(not)[ \t\r\n]+)?(empty|nil)/y;
const VALUE_IN = /[ \t\r\n]+(?:(not)[ \t\r\n]+)?in[ \t\r\n]+/y;

/** Where the text stops being an expression. */
class Fault extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** @returns the tree, or why there is none, with line and column */
export function parseFilter(text: string): Expression | string {
  if (text.length > TEXT_MAX) return `a filter expression has no more than ${TEXT_MAX} characters`;
  try {
    return new Parser(text).whole();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const before = text.slice(0, error.at).split("\n");
    return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}: ${error.message}`;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** How far any reading has come: where the mistake is. */
  #farthest = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Expression {
    this.#space();
    const found = this.#or();
    this.#space();
    if (found === undefined || this.#at < this.#text.length) throw this.#fault();
    return found;
  }

  #fault(): Fault {
    this.#at = Math.max(this.#at, this.#farthest);
    this.#space();
    const at = this.#at;
    const found = this.#text.slice(at, at + 20);
    const what = found === "" ? "the end of the expression" : JSON.stringify(found);
    return new Fault(at, `found ${what}, expected a comparison, "and", "or" or the end`);
  }

  /** undefined, here and below: there is nothing of this kind here, and nothing has been read. */
  #or(): Expression | undefined {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new Fault(this.#at, `nested more than ${DEPTH_MAX} deep`);
    const parts: Expression[] = [];
    for (;;) {
      const start = this.#at;
      const joined = parts.length === 0 || (this.#space() && this.#word("or") && this.#space());
      const next = joined ? this.#and() : undefined;
      // Behind a loop there is no "or": go-bexpr has it last.
      const last = joined && next === undefined ? this.#collection() : undefined;
      const part = next ?? last;
      if (part === undefined) this.#at = start;
      else parts.push(part);
      if (next === undefined) break;
    }
    this.#depth -= 1;
    const [first, ...more] = parts;
    return more.length === 0 ? first : { kind: "or", parts };
  }

  #and(): Expression | undefined {
    const first = this.#not();
    if (first === undefined) return undefined;
    const parts = [first];
    for (;;) {
      const start = this.#at;
      const next = this.#space() && this.#word("and") && this.#space() ? this.#not() : undefined;
      if (next === undefined) {
        this.#at = start;
        return parts.length === 1 ? first : { kind: "and", parts };
      }
      parts.push(next);
    }
  }

  /** Any number of them: two are none. */
  #not(): Expression | undefined {
    const starts: number[] = [];
    for (;;) {
      const start = this.#at;
      if (!this.#word("not") || !this.#space()) {
        this.#at = start;
        break;
      }
      starts.push(start);
    }
    let found = this.#group();
    // What looks like a "not" may be the name of a field.
    while (found === undefined && starts.length > 0) {
      this.#at = starts.pop() ?? 0;
      found = this.#match();
    }
    if (found === undefined) return undefined;
    return starts.length % 2 === 0 ? found : { kind: "not", inner: found };
  }

  #group(): Expression | undefined {
    const start = this.#at;
    if (!this.#word("(")) return this.#match();
    this.#space();
    const inner = this.#or();
    this.#space();
    if (inner !== undefined && this.#word(")")) return inner;
    if (inner !== undefined) throw new Fault(start, 'there is no ")" for this "("');
    this.#at = start;
    return undefined;
  }

  #match(): Match | undefined {
    const start = this.#at;
    const path = this.#selector();
    if (path !== undefined) {
      const behind = this.#at;
      const [, equal, not, word] = this.#take(WITH_VALUE) ?? [];
      const value = equal === undefined && word === undefined ? undefined : this.#value();
      if (value !== undefined) {
        const operator = equal !== undefined ? "==" : word === "contains" ? "in" : "matches";
        const negated = equal === "!=" || not !== undefined;
        return { kind: "match", path, operator, negated, value };
      }
      this.#at = behind;
      const [, isNot, what] = this.#take(WITHOUT_VALUE) ?? [];
      if (what === "empty" || what === "nil") {
        return { kind: "match", path, operator: what, negated: isNot !== undefined, value: "" };
      }
    }
    this.#at = start;
    return this.#valueIn(start);
  }

  #valueIn(start: number): Match | undefined {
    const value = this.#value();
    const operator = value === undefined ? undefined : this.#take(VALUE_IN);
    const path = operator === undefined ? undefined : this.#selector();
    if (value !== undefined && operator !== undefined && path !== undefined) {
      const negated = operator[1] !== undefined;
      return { kind: "match", path, operator: "in", negated, value };
    }
    this.#at = start;
    return undefined;
  }

  #collection(): Collection | undefined {
    const start = this.#at;
    const kind = this.#word("any") ? "any" : this.#word("all") ? "all" : undefined;
    const path = kind !== undefined && this.#space() ? this.#selector() : undefined;
    const isNamed = path !== undefined && this.#space() && this.#word("as") && this.#space();
    const names = isNamed ? this.#names() : undefined;
    if (kind === undefined || path === undefined || names === undefined) {
      this.#at = start;
      return undefined;
    }
    this.#space();
    if (!this.#word("{")) throw this.#fault();
    this.#space();
    const inner = this.#or();
    this.#space();
    if (inner === undefined || !this.#word("}")) throw this.#fault();
    return { kind, path, ...names, inner };
  }

  #names(): Pick<Collection, "name" | "index" | "item"> | undefined {
    const one = (): string | undefined => {
      return this.#word("_") ? "" : this.#take(IDENTIFIER)?.[0];
    };
    const first = one();
    const behind = this.#at;
    this.#space();
    if (this.#word(",")) {
      this.#space();
      const second = one();
      if (first === undefined || second === undefined || first + second === "") throw this.#fault();
      return { name: "", index: first, item: second };
    }
    this.#at = behind;
    return first === undefined || first === "" ? undefined : { name: first, index: "", item: "" };
  }

  #selector(): readonly string[] | undefined {
    const pointer = this.#take(POINTER)?.[1];
    if (pointer !== undefined) {
      const parts = pointer.split("/").slice(1);
      return parts.map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"));
    }
    const first = this.#take(IDENTIFIER)?.[0];
    if (first === undefined) return undefined;
    const path = [first];
    for (;;) {
      const next = this.#step();
      if (next === undefined) return path;
      path.push(next);
    }
  }

  #step(): string | undefined {
    const start = this.#at;
    const digits = this.#take(DIGITS)?.[1];
    if (digits !== undefined) return digits;
    if (this.#word(".")) {
      const name = this.#take(IDENTIFIER)?.[0];
      if (name !== undefined) return name;
    }
    this.#at = start;
    if (!this.#word("[")) return undefined;
    this.#space();
    const text = this.#string();
    if (text === undefined) throw new Fault(start, "an index is a text in quotes");
    this.#space();
    if (!this.#word("]")) throw new Fault(start, 'there is no "]" for this "["');
    return text;
  }

  /** Words without quotes are texts, too. */
  #value(): string | undefined {
    const start = this.#at;
    const isPointer = this.#text[start] === '"';
    const path = this.#selector();
    if (path !== undefined) return path.join(isPointer ? "/" : ".");
    return this.#take(NUMBER)?.[0] ?? this.#string();
  }

  #string(): string | undefined {
    const start = this.#at;
    const found = this.#take(QUOTED);
    if (found === undefined) return undefined;
    const [, raw, quoted = ""] = found;
    const text = raw === undefined ? unescaped(quoted) : raw.replaceAll("\r", "");
    if (text === undefined) throw new Fault(start, "there is no such escape in a text");
    return text;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#moved(word.length);
    return true;
  }

  #space(): boolean {
    return this.#take(SPACE) !== undefined;
  }

  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text);
    if (found === null) return undefined;
    this.#moved(found[0].length);
    return found;
  }

  #moved(by: number): void {
    this.#at += by;
    this.#farthest = Math.max(this.#farthest, this.#at);
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
  "\\": "\\",
};

/** Go's escapes of a text in double quotes; undefined: it is none. */
function unescaped(text: string): string | undefined {
  if (text.includes("\n")) return undefined;
  let good = true;
  const form = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([\s\S])?)/g;
  const out = text.replace(form, (_whole, ...groups: (string | undefined)[]) => {
    const [x, u, wide, octal, one] = groups;
    const code = x ?? u ?? wide;
    const point = code !== undefined ? Number.parseInt(code, 16) : Number.parseInt(octal ?? "", 8);
    if (code !== undefined || octal !== undefined) {
      const isText = point <= 0x10_ffff && !(point >= 0xd800 && point <= 0xdfff);
      // Bytes above 127 by themselves are no text.
      good &&= isText && (u !== undefined || wide !== undefined || point < 0x80);
      return isText ? String.fromCodePoint(point) : "";
    }
    const plain = ESCAPES[one ?? ""];
    good &&= plain !== undefined;
    return plain ?? "";
  });
  return good ? out : undefined;
}
