/** The schemas of answers and bodies by the names that endpoints give them. */
import { t } from "elysia";
import { aclSchemas } from "./acl.ts";
import { agentSchemas } from "./agent.ts";
import { nodeSchemas } from "./nodes.ts";
import { operatorSchemas } from "./operator.ts";
import { anything, exactly, texts } from "./shapes.ts";
import { statusSchemas } from "./status.ts";

export const SCHEMAS = {
  ...aclSchemas,
  ...agentSchemas,
  ...nodeSchemas,
  ...operatorSchemas,
  ...statusSchemas,
  /** It depends on what is asked for, in a region that has it. */
  Anything: anything,
  Done: t.Boolean(),
  Empty: exactly({}),
  Objects: t.Array(anything),
  Text: t.String(),
  Texts: texts,
};
