/**
 * `npm run bench`: the figures that this project promises, measured on this machine, as medians.
 * Where Go is installed, its AES-GCM is measured in the same run for comparison.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { sha256 } from "../src/host/digest.ts";
import { systemEntropy } from "../src/host/entropy.ts";
import { isKeyFault, makeKey } from "../src/secret/key.ts";
import { Keyring } from "../src/secret/keyring.ts";
import { nativeAead } from "../src/secret/native-aead.ts";
import { Sealer } from "../src/service/gossip/sealer.ts";
import { buildPeer, hasGo } from "../test/interop/go.ts";
import { benchClients } from "./bench-clients.ts";
import { benchConfig } from "./bench-config.ts";
import { benchEvents } from "./bench-events.ts";
import { benchGossip } from "./bench-gossip.ts";
import { benchHttp } from "./bench-http.ts";
import { benchPage } from "./bench-page.ts";
import { benchRaft } from "./bench-raft.ts";
import { benchRpc } from "./bench-rpc.ts";
import { makeCertificates } from "./bench-tools.ts";
import { BINARY, build } from "./build.ts";
import { median } from "./median.ts";

const PACKET_BYTES = 1400;
const NO_AAD = new Uint8Array(0);

function report(what: string, value: string, target: string): void {
  console.log(`${what.padEnd(52)} ${value.padStart(12)}   ${target}`);
}

/** Whole process, from spawn to exit. */
function keygenMs(): number {
  const times: number[] = [];
  for (let i = 0; i < 41; i++) {
    const start = performance.now();
    Bun.spawnSync([BINARY, "keygen"], { stdout: "ignore" });
    times.push(performance.now() - start);
  }
  return median(times);
}

/** A server with TLS and a gossip key, configured in HCL, in a folder of its own. */
function prepareAgent(directory: string): string {
  const { ca, cert, key } = makeCertificates(directory);
  const encrypt = Bun.spawnSync([BINARY, "keygen"]).stdout.toString().trim();
  const file = join(directory, "agent.hcl");
  writeFileSync(
    file,
    `name = "bench"
data_dir = "${directory}/data"
bind_addr = "127.0.90.1"
server {
  enabled = true
  encrypt = "${encrypt}"
}
tls {
  http = true
  rpc  = true
  ca_file   = "${ca}"
  cert_file = "${cert}"
  key_file  = "${key}"
  verify_server_hostname = true
}
`,
  );
  return file;
}

async function agentFigures(): Promise<{ startMs: number; residentMb: number }> {
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const starts: number[] = [];
  const resident: number[] = [];
  try {
    const file = prepareAgent(directory);
    const tls = { ca: readFileSync(join(directory, "nomad-agent-ca.pem"), "utf8") };
    for (let i = 0; i < 7; i++) {
      const measured = i < 3;
      const start = performance.now();
      const child = Bun.spawn([BINARY, "agent", `-config=${file}`], { stdout: "ignore" });
      const url = "https://127.0.90.1:4646/v1/status";
      const options = { tls: { ...tls, checkServerIdentity: () => undefined } };
      for (;;) {
        if (performance.now() - start > 10_000) throw new Error("the agent did not start");
        const ok = await fetch(url, options).then(
          (r) => r.ok,
          () => false,
        );
        if (ok) break;
        await Bun.sleep(2);
      }
      starts.push(performance.now() - start);
      if (measured) {
        await Bun.sleep(12_000); // Idle, and after 10 s it gives back what its start needed.
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        resident.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
      }
      child.kill("SIGKILL");
      await child.exited;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { startMs: median(starts), residentMb: median(resident) };
}

/** The production path: sealing layer and opener of one key. Nanoseconds a packet. */
function packetFigures(): { sealNs: number; openNs: number } {
  const key = makeKey(systemEntropy.bytes(16), sha256);
  if (isKeyFault(key)) throw new Error(key.kind);
  const sealer = new Sealer(new Keyring([key]), nativeAead, systemEntropy);
  const [layer, open] = [sealer.layer(), sealer.opener()];
  if (layer === undefined || open === undefined) throw new Error("no key");
  const plain = systemEntropy.bytes(PACKET_BYTES);
  const sealed = layer.seal(plain, NO_AAD);
  const perRound = 20_000;
  const time = (work: () => unknown): number => {
    const rounds: number[] = [];
    for (let round = 0; round < 9; round++) {
      const start = performance.now();
      for (let i = 0; i < perRound; i++) work();
      rounds.push(((performance.now() - start) * 1e6) / perRound);
    }
    return median(rounds.slice(2));
  };
  return {
    sealNs: time(() => layer.seal(plain, NO_AAD)),
    openNs: time(() => open(sealed, NO_AAD)),
  };
}

function goFigures(): { seal: number; open: number } | undefined {
  if (!hasGo) return undefined;
  const run = Bun.spawnSync([buildPeer("seal-bench")]);
  return JSON.parse(run.stdout.toString());
}

const [cpu] = cpus();
console.log(
  `${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Bun ${Bun.version}\n`,
);
await build(BINARY);
report("keygen, whole process", `${keygenMs().toFixed(1)} ms`, "at most 6 ms");
const agent = await agentFigures();
report(
  "agent start to first 200 on /v1/status (TLS, HCL)",
  `${agent.startMs.toFixed(0)} ms`,
  "at most 300 ms",
);
report("idle agent, resident", `${agent.residentMb.toFixed(1)} MB`, "at most 70 MB");
const packet = packetFigures();
const go = goFigures();
for (const [what, ours, theirs] of [
  ["seal", packet.sealNs, go?.seal],
  ["open", packet.openNs, go?.open],
] as const) {
  const ratio =
    theirs === undefined
      ? ""
      : `; Go in this run ${(theirs / 1000).toFixed(2)} us, ratio ${(ours / theirs).toFixed(2)}`;
  report(
    `${what} a ${PACKET_BYTES}-byte gossip packet, AES-128`,
    `${(ours / 1000).toFixed(2)} us`,
    `at most 2 us${ratio}`,
  );
}
const only = process.argv[2];
const parts = {
  config: benchConfig,
  events: benchEvents,
  gossip: benchGossip,
  rpc: benchRpc,
  http: benchHttp,
  raft: benchRaft,
  clients: benchClients,
  page: benchPage,
};
for (const [name, bench] of Object.entries(parts)) {
  if (only === undefined || only === name) await bench(report);
}
