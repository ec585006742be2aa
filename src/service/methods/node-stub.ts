/** A node as lists show it. */
import { mapBytes, type Node, type NodeListStub, textIn } from "../../state/node.ts";
import { any } from "../../wire/codec.ts";

const NIL = any.zero;

/** @param how what is asked for beside the usual */
export function stubOf(one: Node, how: { os: boolean; resources: boolean }): NodeListStub {
  const { Attributes } = one;
  const os = how.os ? textIn(Attributes, "os.name") : undefined;
  const [Address = ""] = one.HTTPAddr.split(/:\d+$/);
  return {
    ...one,
    Address,
    Attributes: os === undefined ? NIL : mapBytes(new Map([["os.name", os]])),
    Drain: one.DrainStrategy !== null,
    NodeResources: how.resources ? one.NodeResources : NIL,
    ReservedResources: how.resources ? one.ReservedResources : NIL,
    Version: textIn(Attributes, "nomad.version") ?? "",
  };
}
