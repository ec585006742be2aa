/** Lines of the log, with texts that a peer chose. */
import { expect, test } from "bun:test";
import { LogSink } from "../../src/host/log.ts";

const EVIL = 's9\n2026-11-25T06:43:57.708Z [ERROR] nomad: forged\u001b[31m "x"\u2028\u009b';

for (const json of [false, true]) {
  test(`${json ? "JSON" : "text"}: one call is one line, and nothing reaches the terminal`, () => {
    const sink = new LogSink({ level: "OFF", json: false, outputs: [] });
    const lines: string[] = [];
    sink.listen({ level: "TRACE", json, line: (text) => void lines.push(text) });
    const log = sink.logger("nomad");
    log.info(`serf: EventMemberJoin: ${EVIL}`, {
      node: EVIL,
      list: ["a\nb", EVIL],
      plain: "\u0007",
    });
    expect(lines).toHaveLength(1);
    const [line = ""] = lines;
    expect(line).not.toMatch(/[\p{Cc}\u2028\u202a-\u202e]/u);
    if (!json) expect(line).toContain("EventMemberJoin: s9\\n2026");
    else expect(JSON.parse(line)).toMatchObject({ node: EVIL, "@module": "nomad" });
  });
}
