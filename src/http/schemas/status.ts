/** Answers of ours: /v1/status and /v1/operator/encryption. */
import { t } from "elysia";
import {
  anything,
  atLeast,
  counts,
  exactly,
  flag,
  number,
  orNull,
  text,
  texts,
  time,
  whole,
} from "./shapes.ts";

const inClear = exactly({
  fix: text,
  what: t.Union(["gossip", "rpc", "http", "telemetry"].map((one) => t.Literal(one))),
  why: text,
});

const traffic = exactly({
  opened: whole,
  received: whole,
  received_bytes: whole,
  received_in_clear: whole,
  refused: counts,
  sealed: whole,
  sent: whole,
  sent_bytes: whole,
  sent_in_clear: whole,
});

const certificate = exactly({
  days_left: whole,
  dns_names: texts,
  fingerprint_sha256: text,
  ip_addresses: texts,
  issuer: text,
  key_type: text,
  not_after: time,
  not_before: time,
  serial: text,
  subject: text,
});

const handshakes = exactly({ accepted: whole, refused: counts });

const gossipEncryption = {
  cipher: text,
  encrypted: flag,
  key: text,
  verify_incoming: flag,
  verify_outgoing: flag,
};

const disabled = exactly({ enabled: t.Literal(false) });

const gossip = exactly({
  ...gossipEncryption,
  enabled: t.Literal(true),
  health_score: whole,
  join: atLeast({ attempts: whole, joined: whole, last_errors: texts, state: text }),
  keyring_file: text,
  keys: t.Array(exactly({ bits: whole, fingerprint: text, primary: flag, since: orNull(time) })),
  label: text,
  messages: exactly({ refused: counts }),
  packets: traffic,
  streams: traffic,
});

const tls = {
  authorities: t.Optional(t.Array(certificate)),
  certificate: t.Optional(certificate),
  enabled: flag,
  min_version: text,
};

const rpc = atLeast({
  connections: counts,
  open_connections: whole,
  open_plain_connections: whole,
  peers: t.Array(
    exactly({
      address: text,
      certificate_days_left: orNull(whole),
      checked_at: time,
      cipher: text,
      encrypted: flag,
      error: text,
      name: text,
      ok: flag,
      reason: text,
      rtt_ms: orNull(number),
      tls_version: text,
    }),
  ),
  plain_connections: whole,
  refused: counts,
  requests: whole,
  sessions: t.Array(anything),
  tls: exactly({
    ...tls,
    handshakes: exactly({ inbound: handshakes, outbound: handshakes }),
    upgrade_mode: flag,
    verify_incoming: flag,
    verify_server_hostname: flag,
  }),
});

const peer = exactly({
  accepts_clear: flag,
  accepts_us: orNull(flag),
  address: text,
  cipher: text,
  days_left: orNull(whole),
  encrypted: flag,
  expected_name: text,
  gossip_status: text,
  issuer: text,
  name: text,
  names: texts,
  not_after: text,
  problems: texts,
  reachable: flag,
  region: text,
  tls_version: text,
  verified: orNull(flag),
  verify_error: text,
});

export const statusSchemas = {
  EncryptionReport: exactly({
    encrypted: flag,
    gossip: exactly({
      ...gossipEncryption,
      members: t.Array(exactly({ keys: texts, name: text, primary: text })),
    }),
    healthy: flag,
    in_clear: t.Array(inClear),
    peers: t.Array(peer),
    soonest_expiry_days: orNull(whole),
    todo: texts,
  }),
  StatusReport: exactly({
    client: atLeast({ enabled: flag }),
    encrypted: flag,
    gossip: t.Union([gossip, disabled]),
    http: exactly({
      tls: exactly({
        ...tls,
        handshakes: exactly({ inbound: handshakes }),
        verify_https_client: flag,
      }),
    }),
    identities: atLeast({ enabled: flag }),
    in_clear: t.Array(inClear),
    members: atLeast({
      list: t.Array(
        exactly({
          address: text,
          build: text,
          datacenter: text,
          name: text,
          region: text,
          rtt_ms: orNull(number),
          status: text,
        }),
      ),
    }),
    node: atLeast({ id: text, name: text, region: text, version: text }),
    raft: atLeast({ enabled: flag }),
    rpc,
    warnings: texts,
  }),
};
