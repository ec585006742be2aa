/**
 * The page in a real browser, on three compiled servers and their clients: each view, in both colour
 * schemes and on a small screen, what changes while it is open, and what hostile names do to it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { NET } from "../addresses.ts";
import { type Agent, Lab, run, until } from "./agents.ts";
import { openBrowser } from "./browser.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";

const SERVERS = [`${NET}.150.1`, `${NET}.150.2`, `${NET}.150.3`] as const;
const CLIENTS = [`${NET}.150.11`, `${NET}.150.12`] as const;
const KEY = "3Pn5Xk6bYwJv0m3m7dJk1g==";
const HOSTILE = `<img src=x onerror="window.hacked=1">`;
const SHOTS = new URL("./out/", import.meta.url).pathname;
const AXE = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8");

const lab = new Lab();
const servers = new Map<string, Agent>();
let ca: TestCa;
let browser: Browser;

async function startServer(ip: string): Promise<void> {
  const tls = await serverTls(ca, "global", { http: true, verify_https_client: false });
  const server = { bootstrap_expect: 3, retry_join: SERVERS, retry_interval: "1s" };
  const name = `s${ip.split(".")[3]}`;
  servers.set(ip, await lab.agent({ name, ip, encrypt: KEY, server, tls }));
}

async function startClient(ip: string): Promise<void> {
  const client = { enabled: true, servers: SERVERS, meta: { hostile: HOSTILE } };
  const name = `c${ip.split(".")[3]}`;
  const tls = await clientTls(ca, "global", { http: true, verify_https_client: false });
  await lab.agent({ name, ip, tls, server: { enabled: false }, extra: { client } });
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of the agent, checked by the tests' expectations
async function ask(ip: string, path: string): Promise<any> {
  const response = await fetch(`https://${ip}:4646${path}`, {
    tls: { rejectUnauthorized: false },
    signal: AbortSignal.timeout(5000),
  });
  return response.json();
}

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  ca = await makeCa(lab.directory, "ca");
  await Promise.all([...SERVERS.map(startServer), ...CLIENTS.map(startClient)]);
  browser = await openBrowser();
  await until("two clients are ready", async () => {
    const list: { Status: string }[] = await ask(SERVERS[0], "/v1/nodes");
    return list.filter(({ Status }) => Status === "ready").length === 2;
  });
  await until("the group is well", async () => {
    return (await ask(SERVERS[0], "/v1/operator/autopilot/health")).Healthy === true;
  });
});

afterAll(async () => {
  await browser?.close();
  await lab[Symbol.asyncDispose]();
});

interface Opened extends AsyncDisposable {
  readonly page: Page;
  /** What the browser complained of: a script that threw, a file that its policy refused. */
  readonly complaints: readonly string[];
}

async function open(
  view: string,
  how: { scheme?: "light" | "dark"; width?: number; ip?: string } = {},
): Promise<Opened> {
  const { scheme = "light", width = 1280, ip = SERVERS[0] } = how;
  const page = await browser.newPage({
    colorScheme: scheme,
    viewport: { width, height: 900 },
    ignoreHTTPSErrors: true,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A group that is not well for a moment, on a busy machine, is described with this code.
    const isHealth = message.text().includes("status of 429");
    if (isHealth || !["error", "warning"].includes(message.type())) return;
    complaints.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (new URL(url).host !== `${ip}:4646`) complaints.push(`asked elsewhere: ${url}`);
  });
  await page.goto(`https://${ip}:4646/ui/${view}`);
  return { page, complaints, [Symbol.asyncDispose]: () => page.close() };
}

/** What of WCAG's rules the page breaks. */
async function accessibility(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const found: { violations: { id: string; nodes: { html: string }[] }[] } = await page.evaluate(
    "axe.run({ resultTypes: ['violations'] })",
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

/** How far things have moved while they were looked at (Cumulative Layout Shift: 0.1 is good, more than 0.25 is poor). */
function shifts(page: Page): Promise<number> {
  return page.evaluate(`new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of list.getEntries()) sum += hadRecentInput ? 0 : value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 50);
  })`);
}

async function views(): Promise<readonly (readonly [string, string])[]> {
  const [node] = await ask(SERVERS[0], "/v1/nodes");
  return [
    ["", "Everything is encrypted"],
    ["topology", "3 servers, 2 clients"],
    ["servers", "s2.global"],
    ["servers/s2.global", "TLSv1.3"],
    ["clients", "c11"],
    [`clients/${node.ID}`, "encryption.rpc"],
    ["keys", "at the latest"],
    ["certificates", "4 certificates"],
    ["raft", "The group is healthy"],
    ["events", "Events"],
    ["sign-in", "Nobody is signed in"],
  ];
}

for (const [scheme, width] of [
  ["light", 1280],
  ["dark", 380],
] as const) {
  test(`every view, ${scheme}, ${width} pixels wide: shown, reachable by all, nothing sticks out`, async () => {
    for (const [view, text] of await views()) {
      await using opened = await open(view, { scheme, width });
      const { page, complaints } = opened;
      await page.getByText(text).first().waitFor();
      const file = `${scheme}-${view.replace(/\/.*/, "-one") || "overview"}.png`;
      await page.screenshot({ path: `${SHOTS}${file}`, fullPage: true });
      expect(await shifts(page)).toBeLessThan(0.25);
      const sticksOut = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
      expect({
        ...{ view, sticksOut, complaints },
        accessibility: await accessibility(page),
      }).toEqual({ view, sticksOut: false, complaints: [], accessibility: [] });
    }
  });
}

test("what is in the clear is seen at once: in words, in the picture and in the lists", async () => {
  await using opened = await open("sign-in");
  const { page } = opened;
  const [node] = await ask(SERVERS[0], "/v1/nodes");
  const looked = await ask(SERVERS[0], "/v1/operator/encryption");
  const [, second, third] = looked.peers;
  const todo = `${second.name}: it still takes calls in the clear: set rpc_upgrade_mode = false`;
  const peers = [
    ...looked.peers.slice(0, 1),
    { ...second, encrypted: false, accepts_clear: true },
    { ...third, encrypted: false, tls_version: "", reachable: true, days_left: null },
  ];
  const answer = { ...looked, encrypted: false, healthy: false, peers, todo: [todo] };
  await page.route("**/v1/operator/encryption", (route) => route.fulfill({ json: answer }));
  await page.route("**/v1/nodes?filter=*rpc*", (route) => route.fulfill({ json: [node] }));
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("Not everything is encrypted").waitFor();
  await page.getByText(todo).waitFor();
  await page.getByText(`1 client (${node.Name}) without TLS`).waitFor();
  await page.getByRole("link", { name: "Topology" }).click();
  const picture = page.locator(".topology");
  await picture.locator("circle.mixed").waitFor();
  // A server and a client; each link takes the colour of its worse end.
  expect(await picture.locator("circle.clear").count()).toBe(2);
  expect(await picture.locator("line.clear").count()).toBe(3);
  expect(await picture.locator("line.mixed").count()).toBe(1);
  await page.getByRole("link", { name: "Servers", exact: true }).click();
  await page.locator("tr", { hasText: second.name }).getByText("TLSv1.3, or clear").waitFor();
  await page.locator("tr", { hasText: third.name }).getByText("clear").waitFor();
  expect(opened.complaints).toEqual([]);
});

test("five thousand clients: only what is seen is drawn, and all of them are found", async () => {
  await using opened = await open("sign-in");
  const { page } = opened;
  const [node] = await ask(SERVERS[0], "/v1/nodes");
  const many = Array.from({ length: 5000 }, (_, i) => {
    return { ...node, ID: `${i.toString(16).padStart(8, "0")}${node.ID.slice(8)}`, Name: `n${i}` };
  });
  await page.route("**/v1/nodes", (route) => route.fulfill({ json: many }));
  await page.getByRole("link", { name: "Clients" }).click();
  await page.getByText("5,000 clients").waitFor();
  expect(await page.locator("tbody tr").count()).toBeLessThan(80);
  await page.getByRole("region", { name: "Client nodes" }).focus();
  await page.keyboard.press("End");
  await page.getByRole("link", { name: "n4999" }).waitFor();
  await page.getByRole("searchbox").fill("n4321");
  await page.getByText("1 of 5,000 clients").waitFor();
  await page.getByRole("link", { name: "n4321" }).waitFor();
});

test("its bytes are few, and no answer may be framed or mixed with scripts of others", async () => {
  const sizes = await Promise.all(
    ["", "app.js", "app.css", "icon.svg"].map(async (name) => {
      const response = await fetch(`https://${SERVERS[0]}:4646/ui/${name}`, {
        tls: { rejectUnauthorized: false },
        headers: { "Accept-Encoding": "gzip" },
        decompress: false,
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-frame-options")).toBe("DENY");
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      return (await response.arrayBuffer()).byteLength;
    }),
  );
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBeLessThan(120 * 1024);
});

test("names, meta and paths that are markup stay text", async () => {
  const [node] = await ask(SERVERS[0], "/v1/nodes");
  for (const view of [`clients/${node.ID}`, `servers/${encodeURIComponent(HOSTILE)}`]) {
    await using opened = await open(view);
    await opened.page.getByText(HOSTILE).first().waitFor();
    expect(await opened.page.evaluate("window.hacked")).toBeUndefined();
  }
  await using events = await open("events");
  const inJson = HOSTILE.replaceAll('"', '\\"');
  const registered = events.page.locator("li", { hasText: inJson }).last();
  await registered.locator("summary").click();
  await registered.getByText(inJson).waitFor();
  expect(await events.page.evaluate("window.hacked")).toBeUndefined();
  // What is not of this page may not even ask it to change something.
  const response = await fetch(`https://${SERVERS[0]}:4646/v1/agent/reload`, {
    method: "PUT",
    tls: { rejectUnauthorized: false },
    headers: { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" },
  });
  expect(response.status).toBe(403);
});

test("by the keyboard alone: skip, sort, filter, copy", async () => {
  await using opened = await open("servers");
  const { page } = opened;
  await page.getByRole("link", { name: "s3.global" }).waitFor();
  // How far it is, as gossip has measured.
  await page
    .locator("tr", { hasText: "s3.global" })
    .getByText(/^[\d.]+ ms$/)
    .waitFor();
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the view");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("view");
  await page.keyboard.press("Tab");
  await page.keyboard.type("s2");
  await page.getByText("1 of 3 servers").waitFor();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.getByRole("button", { name: "Name" }).focus();
  await page.keyboard.press("Enter");
  const first = page.locator("tbody tr:not(.gap)").first();
  await first.getByText("s3.global").waitFor();
  await page.getByRole("button", { name: /^Copy: nomad server members/ }).press("Enter");
  await page.getByText("Copied").waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
    "nomad server members -detailed",
  );
});

test("the key is rotated by a click and a confirmation, and the page shows each step", async () => {
  await using opened = await open("keys");
  const { page } = opened;
  const before = (await ask(SERVERS[0], "/v1/status")).gossip.key;
  await page.getByText(before).waitFor();
  await page.getByRole("button", { name: /^Rotate the gossip key/ }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  await page.getByText(`remove ${before.slice(0, 8)} from 3 members: done`).waitFor();
  const after = (await ask(SERVERS[1], "/v1/status")).gossip;
  expect(after.key).not.toBe(before);
  expect(after.keys).toHaveLength(1);
  await page.getByText(after.key).first().waitFor();
});

test("what somebody else changes is seen at once", async () => {
  const [node] = await ask(SERVERS[0], "/v1/nodes");
  await using opened = await open(`clients/${node.ID}`);
  const { page } = opened;
  await page.getByText("eligible", { exact: true }).waitFor();
  const response = await fetch(`https://${SERVERS[1]}:4646/v1/node/${node.ID}/eligibility`, {
    method: "PUT",
    tls: { rejectUnauthorized: false },
    body: JSON.stringify({ NodeID: node.ID, Eligibility: "ineligible" }),
  });
  expect(response.status).toBe(200);
  await page.getByText("ineligible", { exact: true }).waitFor({ timeout: 4000 });
});

test("who was turned away is counted by reason, over time", async () => {
  await using opened = await open("servers/s1.global");
  const { page } = opened;
  const plain = await Bun.connect({
    ...{ hostname: SERVERS[0], port: 4647, socket: { data: () => undefined } },
  });
  plain.write(Uint8Array.of(1));
  await until("it is counted", async () => {
    return Object.keys((await ask(SERVERS[0], "/v1/status")).rpc.refused).length > 0;
  });
  plain.end();
  const { refused } = (await ask(SERVERS[0], "/v1/status")).rpc;
  const [reason] = Object.keys(refused);
  const said = new RegExp(`^server port: ${reason}, \\d+ in all; a second`);
  await page.locator("figcaption", { hasText: said }).waitFor();
});

test("a log is followed live", async () => {
  await using opened = await open("servers/s1.global");
  const { page } = opened;
  await page.getByLabel("Level").selectOption("DEBUG");
  await page.getByRole("button", { name: "Follow the log" }).click();
  await page.locator("pre.log").getByText("http: request complete").first().waitFor();
});

test("with ACLs: nobody sees a thing, a token what its policy says, and why it may not do more", async () => {
  const ip = `${NET}.150.21`;
  const tls = await serverTls(ca, "global", { http: true, verify_https_client: false });
  const agent = await lab.agent({
    ...{ name: "acl", ip, encrypt: KEY, tls, server: { bootstrap_expect: 1 } },
    extra: { acl: { enabled: true } },
  });
  const env = {
    ...{ NOMAD_ADDR: `https://${ip}:4646`, NOMAD_CACERT: ca.caFile },
    NOMAD_TLS_SERVER_NAME: "localhost",
  };
  const nomad = async (...args: string[]): Promise<{ SecretID: string }> => {
    return JSON.parse((await run([...args, "-json"], { env, cwd: lab.directory })).out);
  };
  const { SecretID } = await until("a bootstrap", () => nomad("acl", "bootstrap"));
  const token = `-token=${SecretID}`;
  await Bun.write(lab.path("look.hcl"), 'agent { policy = "read" }\nnode { policy = "read" }\n');
  await run(["acl", "policy", "apply", token, "look", "look.hcl"], { env, cwd: lab.directory });
  const look = await nomad("acl", "token", "create", token, "-name=looker", "-policy=look");

  await using opened = await open("", { ip });
  const { page } = opened;
  const urls: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  await page.getByText("The status cannot be shown").waitFor();
  await page.getByRole("link", { name: "Sign in with a token" }).click();
  const signIn = async (secret: string): Promise<void> => {
    await page.getByLabel("Secret ID of a token").fill(secret);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await signIn("99999999-9999-4999-8999-999999999999");
  await page
    .getByRole("alert")
    .filter({ hasText: /ACL token not found|denied/ })
    .waitFor();
  await signIn(look.SecretID);
  await page.getByText("looker").waitFor();
  await page.getByRole("link", { name: "Certificates" }).click();
  const reload = page.getByRole("button", { name: /^Reload this agent/ });
  await page.locator('button[aria-disabled="true"]', { hasText: "Reload this agent" }).waitFor();
  await reload.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "Permission denied" }).waitFor();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByText("The keys cannot be shown: Permission denied").waitFor();
  await page.getByRole("link", { name: "Token", exact: true }).click();
  await signIn(SecretID);
  await page.getByText("Bootstrap Token").waitFor();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByText("on every member").waitFor();
  expect(urls.filter((url) => url.includes(SecretID) || url.includes(look.SecretID))).toEqual([]);
  expect(lab.log("acl")).not.toContain(SecretID);
  await agent.stop();
});

test("a server that dies while the page is open is seen as failed, and the agent's own death, too", async () => {
  await using opened = await open("servers");
  const { page } = opened;
  const row = page.locator("tr", { hasText: "s3.global" });
  await row.getByText("alive").waitFor();
  await servers.get(SERVERS[2])?.stop();
  // Gossip takes its time to be sure.
  await row.getByText("failed").waitFor({ timeout: 90_000 });
  await servers.get(SERVERS[0])?.stop();
  await page.getByText("The agent does not answer since").waitFor();
  await startServer(SERVERS[0]);
  await page.getByText("The agent does not answer since").waitFor({ state: "detached" });
});
