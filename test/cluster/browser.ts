/** Headless Chromium for the tests of the page: Debian's package, installed when it is not there. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) install();
  return chromium.launch({
    executablePath: CHROMIUM,
    // The machine's root runs tests; nothing but loopback is to be asked.
    args: ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
}

function install(): void {
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
    const run = Bun.spawnSync(["apt-get", "-q", ...args], { timeout: 600_000 });
    if (!run.success && args[0] === "install") {
      const why = run.stderr.toString().trim().split("\n").at(-1);
      throw new Error(`the tests of the page need Chromium (apt-get install chromium): ${why}`);
    }
  }
}
