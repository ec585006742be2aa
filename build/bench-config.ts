/** `nomad config validate`, the whole process, on files of three sizes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const RUNS = 15;

const MINIMAL = `data_dir = "/opt/nomad"
bind_addr = "127.0.0.2"
server {
  enabled = true
}
`;

/** What larger files are made of: plugins with all kinds of values, comments, and meta. */
function fileOf(bytes: number): string {
  let [plugins, meta] = ["", ""];
  for (let i = 0; plugins.length + meta.length < bytes - MINIMAL.length; i++) {
    plugins += `plugin "driver_${i}" {
  config { # the one that group ${i} uses
    enabled  = true
    volumes  = ["/srv/${i}", "/var/lib/shared"]
    greeting = "hello\\tnumber ${i}"
    limit    = ${i * 7}
  }
}
`;
    for (let j = 0; j < 4; j++) meta += `    key_${i}_${j} = "the value of ${i} and ${j}"\n`;
  }
  return `${MINIMAL}client {\n  meta {\n${meta}  }\n}\n${plugins}`;
}

export async function benchConfig(report: Report): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  try {
    for (const [what, text, target] of [
      ["a minimal HCL file", MINIMAL, "at most 100 ms"],
      ["an HCL file of 7 KB", fileOf(7000), "at most 150 ms"],
      ["an HCL file of 1 MB", fileOf(1_000_000), "at most 1000 ms"],
    ] as const) {
      const file = join(directory, "agent.hcl");
      writeFileSync(file, text);
      report(`config validate of ${what}`, `${validateMs(file).toFixed(0)} ms`, target);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function validateMs(file: string): number {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    const run = Bun.spawnSync([BINARY, "config", "validate", file]);
    if (!run.success) throw new Error(run.stdout.toString() + run.stderr.toString());
    return performance.now() - start;
  });
  return median(times);
}
