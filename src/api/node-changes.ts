/** What an operator changes of a client node over HTTP, with Nomad's fields. */
import { nodeDrainRequest, nodeEligibilityRequest } from "../state/command.ts";
import { drainStrategy } from "../state/node.ts";
import { encodeValue, structOf, type ValueOf } from "../wire/codec.ts";
import { nodeChangeReply, nodeNamedWrite, nodeUpdateReply } from "../wire/rpc-node.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { JsonBody } from "./json-body.ts";
import type { IndexedAnswer } from "./nodes.ts";
import type { ReadQuery } from "./query.ts";

/** @throws ApiError */
export async function drainNode(
  context: ApiContext,
  id: string,
  query: Pick<ReadQuery, "region">,
  body: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(body);
  const spec = given.body("DrainSpec");
  const fields = spec && {
    Deadline: spec.nanos("Deadline"),
    IgnoreSystemJobs: spec.flag("IgnoreSystemJobs"),
  };
  const request = structOf(nodeDrainRequest, {
    NodeID: id,
    DrainStrategy: fields === undefined ? null : structOf(drainStrategy, fields),
    MarkEligible: given.flag("MarkEligible"),
    Meta: given.texts("Meta"),
    Region: askedOf(context, query).region,
  });
  const bytes = encodeValue(nodeDrainRequest, request);
  return changed(decode(nodeChangeReply, await ask(context, "Node.UpdateDrain", bytes)));
}

/** @throws ApiError */
export async function setEligibility(
  context: ApiContext,
  id: string,
  query: Pick<ReadQuery, "region">,
  body: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(body);
  const bytes = requestOf(nodeEligibilityRequest, {
    NodeID: given.text("NodeID") || id,
    Eligibility: given.text("Eligibility"),
    Region: askedOf(context, query).region,
  });
  return changed(decode(nodeChangeReply, await ask(context, "Node.UpdateEligibility", bytes)));
}

/** Nothing is scheduled here, so there is nothing to evaluate: it says whether there is a node. */
export async function evaluateNode(
  context: ApiContext,
  id: string,
  query: Pick<ReadQuery, "region">,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  const bytes = encodeValue(
    nodeNamedWrite,
    structOf(nodeNamedWrite, { NodeID: id, Region: region }),
  );
  return changed(decode(nodeUpdateReply, await ask(context, "Node.Evaluate", bytes)));
}

function changed(reply: ValueOf<typeof nodeChangeReply>): IndexedAnswer {
  const value = {
    EvalCreateIndex: Number(reply.EvalCreateIndex),
    EvalIDs: reply.EvalIDs,
    Index: Number(reply.Index),
    NodeModifyIndex: Number(reply.NodeModifyIndex),
  };
  return { value, headers: { "X-Nomad-Index": String(reply.Index) } };
}
