/** The keys that sign who a node is, for operators and for whoever checks; tokens for new nodes. */
import { t } from "elysia";
import {
  createIntroduction,
  deleteSigningKey,
  listSigningKeys,
  openIdConfiguration,
  publicKeys,
  renewIdentity,
  rotateSigningKey,
} from "../../api/identities.ts";
import { PATHS } from "../../paths.ts";
import { type Base, indexed, NO_BODY, TEXT_BODY } from "../base.ts";
import type { AnswerOf } from "../endpoint.ts";
import { reading, region, word } from "../parameters.ts";

export function identityRoutes(app: Base) {
  return app
    .get(
      PATHS.jwks,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await publicKeys(api, query, signal)),
      {
        query: t.Object(reading),
        endpoint: {
          summary: "The public keys by which identities are checked",
          needs: "anonymous",
          from: "region",
          blocks: true,
          indexed: true,
          answers: "PublicKeys",
        },
      },
    )
    .get(PATHS.openIdConfiguration, openIdConfiguration, {
      endpoint: {
        summary: "Nothing: there is no OIDC issuer",
        needs: "anonymous",
        from: "agent",
      },
    })
    .put(
      PATHS.introduction,
      ({ api, query, body }): Promise<AnswerOf<"Introduction">> =>
        createIntroduction(api, query, body),
      {
        ...TEXT_BODY,
        query: t.Object(region),
        endpoint: {
          summary: "A token by which a new client node may come",
          needs: "node:write",
          from: "leader",
          takes: "IntroductionRequest",
          answers: "Introduction",
        },
      },
    )
    .put(PATHS.clientIdentityRenew, ({ api, query, body }) => renewIdentity(api, query, body), {
      ...TEXT_BODY,
      query: t.Object({ ...region, node_id: word("which (default: this agent's own)") }),
      endpoint: {
        summary: "Has a node ask for another identity",
        needs: "node:write",
        from: "region",
        takes: "NodeNamed",
        answers: "Empty",
      },
    })
    .use(signingKeyRoutes);
}

function signingKeyRoutes(app: Base) {
  return app
    .get(
      PATHS.signingKeys,
      async ({ api, query, request: { signal }, set }) =>
        indexed(set, await listSigningKeys(api, query, signal)),
      {
        query: t.Object(reading),
        endpoint: {
          summary: "The keys that sign identities, without the keys themselves",
          needs: "management",
          from: "region",
          blocks: true,
          indexed: true,
          answers: "SigningKeyList",
        },
      },
    )
    .put(
      PATHS.signingKeyRotate,
      async ({ api, query, set }) => indexed(set, await rotateSigningKey(api, query)),
      {
        ...NO_BODY,
        query: t.Object({
          ...region,
          algo: word("of the key"),
          full: word("true: what the old keys have sealed is sealed anew"),
          publish_time: word("when it takes over, in nanoseconds of Unix time"),
        }),
        endpoint: {
          summary: "Makes another key that signs identities",
          needs: "management",
          from: "leader",
          indexed: true,
          answers: "SigningKeyRotation",
        },
      },
    )
    .delete(
      PATHS.signingKey,
      async ({ api, params: { id }, query, set }) =>
        indexed(set, await deleteSigningKey(api, id, query)),
      {
        ...NO_BODY,
        query: t.Object({ ...region, force: word("true: also if it is in use") }),
        endpoint: {
          summary: "Deletes a key that signs no more",
          needs: "management",
          from: "leader",
          indexed: true,
        },
      },
    );
}
