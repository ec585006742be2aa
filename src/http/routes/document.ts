/** /v1/openapi.json: this API, for programs. */
import { PATHS } from "../../paths.ts";
import type { Base } from "../base.ts";
import { declaredIn } from "../endpoint.ts";

export function documentRoutes(app: Base) {
  let document: object | undefined;
  return app.get(
    PATHS.openApi,
    async () => {
      const { openApi } = await import("../openapi.ts");
      document ??= openApi(declaredIn(app));
      return document;
    },
    {
      endpoint: {
        summary: "This API as an OpenAPI document",
        needs: "anonymous",
        from: "agent",
        answers: "Anything",
      },
    },
  );
}
