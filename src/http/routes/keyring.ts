/** /v1/agent/keyring: the gossip keys of all servers. Any method will do, as in Nomad. */
import { t } from "elysia";
import { changeKeys, listFingerprints, listKeys } from "../../api/keyring.ts";
import { PATHS } from "../../paths.ts";
import { type Base, NO_BODY, TEXT_BODY } from "../base.ts";
import { word } from "../parameters.ts";

const KEYRING = {
  needs: "agent:write",
  from: "agent",
  // Nomad's own client removes with DELETE.
  also: ["GET", "POST", "DELETE"],
  // A GET changes something here, or shows the keys.
  guarded: true,
} as const;

export function keyringRoutes(app: Base) {
  return app
    .put(
      PATHS.keyringList,
      ({ api, query: { fingerprints } }) =>
        fingerprints === "true" ? listFingerprints(api) : listKeys(api),
      {
        ...NO_BODY,
        query: t.Object({ fingerprints: word("true: fingerprints instead of keys") }),
        endpoint: {
          ...KEYRING,
          summary: "The gossip keys, and on how many servers each is",
          answers: "Keyring",
        },
      },
    )
    .put(PATHS.keyringInstall, ({ api, body }) => changeKeys(api, "install", body), {
      ...TEXT_BODY,
      endpoint: {
        ...KEYRING,
        summary: "Installs a gossip key on all servers",
        takes: "KeyringRequest",
        answers: "Keyring",
      },
    })
    .put(PATHS.keyringUse, ({ api, body }) => changeKeys(api, "use", body), {
      ...TEXT_BODY,
      endpoint: {
        ...KEYRING,
        summary: "Makes a gossip key the primary of all servers",
        takes: "KeyringRequest",
        answers: "Keyring",
      },
    })
    .put(PATHS.keyringRemove, ({ api, body }) => changeKeys(api, "remove", body), {
      ...TEXT_BODY,
      endpoint: {
        ...KEYRING,
        summary: "Removes a gossip key from all servers",
        takes: "KeyringRequest",
        answers: "Keyring",
      },
    });
}
