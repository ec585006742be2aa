/**
 * Everything that can be known to be wrong before anything listens: the same for `agent` and
 * `config validate`, so that what validates also starts.
 *
 * @module
 */
import { type EndpointHost, type Endpoints, resolveEndpoints } from "../config/endpoints.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { defaultInterface, machineInterfaces } from "../host/interfaces.ts";
import { lookupHost } from "../host/machine.ts";
import { loadTlsMaterial, type TlsMaterial } from "../tls/material.ts";
import { checkPaths } from "./check-paths.ts";
import { LoadError, type LoadedConfig } from "./load-config.ts";

export interface CheckedConfig {
  readonly endpoints: Endpoints;
  readonly material: TlsMaterial | undefined;
  readonly warnings: readonly Problem[];
}

const MACHINE: EndpointHost = {
  interfaces: () => ({ all: machineInterfaces(), defaultName: defaultInterface() }),
  lookup: lookupHost,
};

/** @throws LoadError with every mistake */
export async function checkConfig(
  loaded: LoadedConfig,
  machine: EndpointHost = MACHINE,
): Promise<CheckedConfig> {
  const { config, render } = loaded;
  const problems: Problem[] = [];
  let endpoints: Endpoints | undefined;
  try {
    endpoints = await resolveEndpoints(config, machine);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  problems.push(...checkPaths(config));
  const { tls, region, server } = config;
  let material: TlsMaterial | undefined;
  if (tls.rpc || tls.http) {
    const options = { region, isServer: server.enabled, nowMs: Date.now() };
    const checked = loadTlsMaterial(tls, options);
    problems.push(...checked.problems);
    material = checked.material;
  }
  const failed = problems.some(({ severity }) => severity === "error");
  if (failed || endpoints === undefined) throw new LoadError(render(problems));
  return { endpoints, material, warnings: problems };
}
