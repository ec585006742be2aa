/** `nomad config validate PATH...`: fails on everything that would keep the agent from starting. */
import { checkConfig } from "./check-config.ts";
import { parseInChild } from "./hcl-child.ts";
import { LoadError, loadConfig } from "./load-config.ts";
import { CommandError, print, printError } from "./output.ts";

export async function configValidate(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) {
    throw new CommandError(
      "Must specify at least one config file or directory\n" +
        "For additional help try 'nomad config validate -help'",
    );
  }
  try {
    const loaded = await loadConfig({ paths, flags: [], devMode: false, parse: parseInChild });
    if (loaded.warnings.length > 0) printError(loaded.render(loaded.warnings));
    const { warnings } = await checkConfig(loaded);
    if (warnings.length > 0) printError(loaded.render(warnings));
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new CommandError(`${error.text}\n\nConfiguration is invalid`);
  }
  print("Configuration is valid!");
}
