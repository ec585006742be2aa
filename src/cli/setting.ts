/** What a flag or a NOMAD_* variable says, and which of the two: errors name it. */
export interface Setting {
  readonly value: string;
  /** `-ca-cert`, `NOMAD_CACERT`, or `default`. */
  readonly source: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The flag before the variable; an empty one is not set. */
export function settingOf(
  flag: readonly [name: string, value: string | undefined],
  variable: string,
  env: Environment,
): Setting | undefined {
  const [name, given] = flag;
  if (given !== undefined && given !== "") return { value: given, source: name };
  const found = env[variable];
  return found === undefined || found === "" ? undefined : { value: found, source: variable };
}
