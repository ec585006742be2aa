/**
 * A caller's token goes with what is asked of others: they judge it. Where our own region has no
 * ACLs, another one may have some; and no log or answer of ours is a place for somebody's token. A
 * client's configuration does not tell whether its servers have them.
 *
 * @module
 */
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import { decodeQueryOptions, withField } from "../wire/rpc-status.ts";
import type { ApiContext } from "./context.ts";

/** @param token "": the context as it is */
export function withToken(context: ApiContext, token: string): ApiContext {
  if (token === "") return context;
  const { call, streams, config, acl, gossip } = context;
  const isServer = gossip !== undefined;
  const bytes = new MsgpackWriter(token.length + 8).text(token).take();
  const signed = (body: Uint8Array): Uint8Array => {
    const region = decodeQueryOptions(body)?.Region ?? "";
    const isOwn = region === "" || region === config.region;
    return isServer && isOwn && !acl.enabled ? body : withField(body, "AuthToken", bytes);
  };
  return {
    ...context,
    call: (method, body, signal) => call(method, signed(body), signal),
    streams: { open: (name, request, stop) => streams.open(name, signed(request), stop) },
  };
}
