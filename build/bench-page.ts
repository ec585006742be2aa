/** The page in a browser: its bytes, how soon it is drawn, and what open pages cost the agent. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { until } from "../test/cluster/agents.ts";
import { openBrowser } from "../test/cluster/browser.ts";
import { makeCertificates, type Report } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";
import { PAGE_FILES } from "./page.ts";

const ADDRESS = "127.0.91.1";
const URL_OF_PAGE = `https://${ADDRESS}:4646/ui/`;
const UNCHECKED = { tls: { rejectUnauthorized: false } };
const LOADS = 11;
const PAGES = 10;
/** Until the pages have asked for everything, and asked again. */
const SETTLED_MS = 15_000;

/** A server alone, with TLS everywhere; its process. */
async function startAgent(directory: string): Promise<Bun.Subprocess> {
  const { ca, cert, key } = makeCertificates(directory);
  const file = join(directory, "agent.json");
  const tls = { rpc: true, http: true, ca_file: ca, cert_file: cert, key_file: key };
  const server = { enabled: true, bootstrap_expect: 1 };
  const [data_dir, bind_addr] = [join(directory, "data"), ADDRESS];
  writeFileSync(file, JSON.stringify({ name: "bench", data_dir, bind_addr, server, tls }));
  const agent = Bun.spawn([BINARY, "agent", `-config=${file}`], {
    stdout: "ignore",
    stderr: "ignore",
  });
  await until("the agent leads", async () => {
    return (await fetch(`https://${ADDRESS}:4646/v1/status/leader`, UNCHECKED)).ok;
  });
  return agent;
}

async function bytesOverTheWire(): Promise<number> {
  const sizes = PAGE_FILES.map(async (name) => {
    const headers = { "Accept-Encoding": "gzip" };
    const answer = await fetch(URL_OF_PAGE + name, { ...UNCHECKED, headers, decompress: false });
    return (await answer.arrayBuffer()).byteLength;
  });
  return (await Promise.all(sizes)).reduce((sum, one) => sum + one, 0);
}

async function openPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(URL_OF_PAGE);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  return page;
}

/** From the beginning of the navigation to the first text, as the browser says. */
async function firstViewMs(browser: Browser): Promise<number> {
  const page = await openPage(browser);
  const ms = await page.evaluate<number>(
    `performance.getEntriesByName("first-contentful-paint")[0].startTime`,
  );
  await page.close();
  return ms;
}

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

export async function benchPage(report: Report): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const agent = await startAgent(directory);
  const browser = await openBrowser();
  try {
    const kilobytes = (await bytesOverTheWire()) / 1024;
    report("the page, packed, over the wire", `${kilobytes.toFixed(1)} KiB`, "at most 120 KiB");
    const drawn: number[] = [];
    for (let i = 0; i < LOADS; i++) drawn.push(await firstViewMs(browser));
    report("first view of the page drawn", `${median(drawn).toFixed(0)} ms`, "at most 300 ms");
    const before = residentMb(agent.pid);
    for (let i = 0; i < PAGES; i++) await openPage(browser);
    await Bun.sleep(SETTLED_MS);
    const grown = residentMb(agent.pid) - before;
    report(`${PAGES} pages open: the agent grows by`, `${grown.toFixed(1)} MB`, "");
  } finally {
    await browser.close();
    agent.kill("SIGKILL");
    await agent.exited;
    rmSync(directory, { recursive: true, force: true });
  }
}
