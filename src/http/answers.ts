/** Answers that are no JSON. */

/** A text, as Nomad's errors are; "": no body at all. */
export function plain(status: number, text: string): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(text, text === "" ? { status } : { status, headers });
}
