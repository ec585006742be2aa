/** Proxies by the environment: whom Go's programs ask through them, and requests through real ones. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../../src/cli/api-client.ts";
import { proxyFor } from "../../src/cli/proxy.ts";
import { makeAuthority, makeLeaf } from "../../src/tls/make.ts";
import recorded from "../vectors/proxy/no-proxy.json";

describe("NO_PROXY leaves out what Go's golang.org/x/net v0.59.0 leaves out", () => {
  for (const [NO_PROXY, proxied] of Object.entries(recorded.proxied)) {
    test(JSON.stringify(NO_PROXY), () => {
      const env = { HTTP_PROXY: "p:1", https_proxy: "https://s:1", NO_PROXY };
      const found = recorded.targets.filter((one) => proxyFor(new URL(one), env) !== undefined);
      expect(found).toEqual([...proxied]);
    });
  }
});

test("what is no proxy is said, without what it says of itself", () => {
  const target = new URL("http://agent.example:4646");
  const wrong: readonly (readonly [Record<string, string>, string])[] = [
    [
      { HTTP_PROXY: "socks5://a:secret@p" },
      "HTTP_PROXY: a proxy of the kind socks5 is not supported",
    ],
    [{ http_proxy: "http://[" }, "invalid proxy address (http_proxy)"],
    [{ HTTP_PROXY: "http://p", REQUEST_METHOD: "GET" }, "refusing to use HTTP_PROXY value in CGI"],
  ];
  for (const [env, text] of wrong) expect(() => proxyFor(target, env)).toThrow(text);
  expect(proxyFor(target, { HTTPS_PROXY: "http://p", HTTP_PROXY: "" })).toBeUndefined();
});

describe("requests through a proxy", () => {
  const directory = mkdtempSync(join(tmpdir(), "nomad-test-"));
  const caFile = join(directory, "ca.pem");
  const open: Server[] = [];
  const asked: string[] = [];
  let [proxy, agentPort] = ["", 0];

  async function listen(server: Server): Promise<number> {
    open.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address: AddressInfo | string | null = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  beforeAll(async () => {
    const empty = { country: "", province: "", locality: "", streetAddress: "", postalCode: "" };
    const subject = { ...empty, commonName: "CA", organization: "", organizationalUnit: "" };
    const ca = await makeAuthority(subject, 5, []);
    writeFileSync(caFile, ca.certificate);
    const dnsNames = ["agent.example"];
    const leaf = {
      commonName: "a",
      dnsNames,
      ipAddresses: [],
      days: 5,
      usages: ["server"],
    } as const;
    const { certificate, key } = await makeLeaf(ca, leaf);
    agentPort = await listen(
      createTlsServer({ cert: certificate, key }, ({ url = "" }, response) => {
        response.end(JSON.stringify(`behind TLS: ${url}`));
      }),
    );
    const server = createServer(({ method, url, headers }, response) => {
      asked.push(`${method} ${url} ${headers.host} ${headers["proxy-authorization"] ?? "-"}`);
      response.end('"in the clear"');
    });
    server.on("connect", ({ url, headers }, socket) => {
      asked.push(`CONNECT ${url} ${headers["proxy-authorization"] ?? "-"}`);
      if (url?.startsWith("closed.")) return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      const target = connect(agentPort, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        target.pipe(socket).pipe(target);
      });
      target.on("error", () => socket.destroy());
    });
    proxy = `http://me:pass%40@127.0.0.1:${await listen(server)}`;
  });

  afterAll(() => {
    for (const one of open) one.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const ask = (address: string, env: Record<string, string>): Promise<unknown> =>
    new ApiClient({ address, caCert: caFile }, env).get("/v1/x?a=b", { quiet: true });

  test("in the clear the proxy gets the whole URL, and the login of its own", async () => {
    expect(await ask("http://agent.example:4646", { HTTP_PROXY: proxy })).toBe("in the clear");
    const login = `Basic ${Buffer.from("me:pass@").toString("base64")}`;
    expect(asked.splice(0)).toEqual([
      `GET http://agent.example:4646/v1/x?a=b agent.example:4646 ${login}`,
    ]);
  });

  test("with TLS it opens a tunnel, and sees nothing of what is asked", async () => {
    const env = { HTTPS_PROXY: proxy };
    expect(await ask("https://agent.example:4646", env)).toBe("behind TLS: /v1/x?a=b");
    expect(asked.splice(0)).toEqual([expect.stringContaining("CONNECT agent.example:4646 Basic ")]);
    // The certificate is for the agent's name, whoever passes it on.
    await expect(ask("https://other.example", env)).rejects.toThrow("not other.example");
    asked.length = 0;
  });

  test("a proxy that refuses, or is not there, is named", async () => {
    await expect(ask("https://closed.example", { HTTPS_PROXY: proxy })).rejects.toThrow(
      /Get "https:\/\/closed\.example\/.*": the proxy .* opens no tunnel: 403 Forbidden/,
    );
    const gone = { HTTP_PROXY: "http://127.0.0.1:9" };
    await expect(ask("http://agent.example", gone)).rejects.toThrow(
      "proxyconnect tcp: connect: connection refused\nthe proxy 127.0.0.1:9 is that of HTTP_PROXY",
    );
  });
});
