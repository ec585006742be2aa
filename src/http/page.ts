/**
 * The page at /ui/: files out of this executable, for a browser that is told to load nothing else,
 * run no script that is not one of them, and show it in nobody's frame.
 *
 * @module
 */
import { pathOf } from "./asked.ts";

/** By name: of which type each is. */
const TYPES: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "app.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

const BASE = "/ui/";

/** @returns the answer, if the request is for the page */
export async function pageAnswer(request: Request): Promise<Response | undefined> {
  const pathname = pathOf(request.url);
  const isPage = pathname === "/" || pathname === "/ui" || pathname.startsWith(BASE);
  if (!isPage) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Invalid method", { status: 405, headers: HEADERS });
  }
  if (!pathname.startsWith(BASE)) {
    return new Response(null, {
      status: 307,
      headers: { ...HEADERS, Location: BASE + new URL(request.url).search },
    });
  }
  // A view's address is the page, too: it finds out for itself where in it that is.
  const asked = pathname.slice(BASE.length);
  return send(request, Object.hasOwn(TYPES, asked) ? asked : "index.html");
}

/** Read from the executable when it is asked for: nothing of it stays in memory. */
async function send(request: Request, name: string): Promise<Response> {
  const embedded = Bun.embeddedFiles.find((one) => nameOf(one) === `${name}.gz`);
  if (embedded === undefined) {
    const text = "The page is part of the compiled executable only (npm run build).";
    return new Response(text, { status: 404, headers: HEADERS });
  }
  const packed = new Uint8Array(await embedded.arrayBuffer());
  const tag = `"${Bun.hash(packed).toString(36)}"`;
  // Asked each time whether it has changed: an agent is replaced by a newer one.
  const headers = {
    ...HEADERS,
    "Content-Type": TYPES[name] ?? "text/plain",
    "Cache-Control": "no-cache",
    ETag: tag,
  };
  if (request.headers.get("if-none-match") === tag) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(packed, { headers: { ...headers, "Content-Encoding": "gzip" } });
}

function nameOf(file: Blob): string {
  return "name" in file && typeof file.name === "string" ? file.name : "";
}
