/** Bodies that many answers have in common: they go out as they are, without a copy for each. */

const shared = new WeakMap<Response, Uint8Array<ArrayBuffer>>();

export function sharedResponse(bytes: Uint8Array<ArrayBuffer>, init: ResponseInit): Response {
  const response = new Response(bytes, init);
  shared.set(response, bytes);
  return response;
}

/** Nobody may write into it. */
export async function bodyOf(response: Response): Promise<Uint8Array> {
  return shared.get(response) ?? (await response.bytes());
}
