/**
 * Bundles the page (src/ui) into build/out/ui, packed by gzip: these files are embedded in the binary and
 * sent as they are.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

export const PAGE_FILES = ["index.html", "app.js", "app.css", "icon.svg"] as const;

/** @param root of the project */
export async function buildPage(root: string): Promise<void> {
  const [source, out] = [`${root}src/ui/`, `${root}build/out/ui/`];
  const bundle = await Bun.build({
    entrypoints: [`${source}main.tsx`],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  if (!bundle.success) throw new Error(`bundling the page failed: ${bundle.logs.join("\n")}`);
  const [script] = bundle.outputs;
  if (script === undefined) throw new Error("bundling the page gave nothing");
  mkdirSync(out, { recursive: true });
  const style = await Bun.build({ entrypoints: [`${source}style.css`], minify: true });
  const files: Readonly<Record<(typeof PAGE_FILES)[number], Uint8Array>> = {
    "app.js": new Uint8Array(await script.arrayBuffer()),
    "app.css": new Uint8Array((await style.outputs[0]?.arrayBuffer()) ?? []),
    "index.html": readFileSync(`${source}index.html`),
    "icon.svg": readFileSync(`${source}icon.svg`),
  };
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(`${out}${name}.gz`, gzipSync(bytes, { level: 9 }));
  }
}
