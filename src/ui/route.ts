/**
 * Where in the page we are: the path below /ui, so that a view can be bookmarked and sent on.
 *
 * @module
 */
import { signal } from "@preact/signals";

const BASE = "/ui/";

/** The path's parts below /ui/, decoded: ["servers", "s1.global"]. */
export const place = signal(read());

export function pathOf(...parts: readonly string[]): string {
  return BASE + parts.map(encodeURIComponent).join("/");
}

export function goTo(path: string): void {
  if (path !== location.pathname) history.pushState(null, "", path);
  place.value = read();
  scrollTo(0, 0);
}

addEventListener("popstate", () => {
  place.value = read();
});

function read(): readonly string[] {
  const parts = location.pathname.slice(BASE.length).split("/");
  return parts.filter((one) => one !== "").map(decoded);
}

/** What is no text in UTF-8 leads nowhere, and is shown as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
