/** The audit block, in the shape of Nomad Enterprise's. */
import { expect, test } from "bun:test";
import { errors, read, warnings } from "./read.ts";

const SERVER = 'data_dir = "/x"\nserver {\n  enabled = true\n}\n';
const DAY_MS = 86_400_000;

test("is off, and has a sink with the defaults", () => {
  const sink = {
    path: undefined,
    isEnforced: true,
    rotation: { bytesMax: 0, ageMsMax: DAY_MS, filesMax: 0 },
    mode: 0o600,
  };
  const off = { enabled: false, sinks: [sink], filters: [] };
  expect(read(SERVER).config?.audit).toEqual(off);
  expect(read(`${SERVER}audit {\n enabled = true\n}`).config?.audit).toEqual({
    ...off,
    enabled: true,
  });
});

test("everything in it", () => {
  const text = `${SERVER}audit {
  enabled = true
  sink "main" {
    type               = "file"
    format             = "json"
    delivery_guarantee = "best-effort"
    path               = "/var/log/nomad/audit.log"
    rotate_bytes       = 1000
    rotate_duration    = "1h"
    rotate_max_files   = 3
    mode               = "0640"
  }
  filter "f" {
    type       = "HTTPEvent"
    endpoints  = ["/v1/node/*"]
    stages     = ["OperationReceived"]
    operations = ["put"]
  }
}`;
  expect(errors(text)).toEqual([]);
  expect(warnings(text)).toEqual([]);
  expect(read(text).config?.audit).toEqual({
    enabled: true,
    sinks: [
      {
        path: "/var/log/nomad/audit.log",
        isEnforced: false,
        rotation: { bytesMax: 1000, ageMsMax: 3_600_000, filesMax: 3 },
        mode: 0o640,
      },
    ],
    filters: [
      {
        type: "HTTPEvent",
        endpoints: ["/v1/node/*"],
        stages: ["OperationReceived"],
        operations: ["PUT"],
      },
    ],
  });
});

test("what is not there is refused rather than faked", () => {
  const first = (line: string): string | undefined =>
    errors(`${SERVER}audit {\n sink "a" {\n  ${line}\n }\n}`)[0];
  expect(first('type = "socket"')).toContain("must be one of file");
  expect(first('format = "xml"')).toContain("must be one of json");
  expect(first('delivery_guarantee = "maybe"')).toContain("must be one of enforced, best-effort");
  expect(first('mode = "rw"')).toContain("octal digits");
  expect(first('paht = "/x"')).toContain("unknown key");
  const filter = `${SERVER}audit {\n filter "a" {\n  stages = ["Never"]\n }\n}`;
  expect(errors(filter)[0]).toContain("OperationReceived, OperationComplete");
});
