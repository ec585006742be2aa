/**
 * What an ACL policy of Nomad's can grant, by name, and what its shorthands and its wider
 * capabilities stand for.
 *
 * @module
 */

/** In a namespace. The last two are for Enterprise: kept, and nothing here asks for them. */
export const NAMESPACE_CAPABILITIES = [
  "alloc-exec",
  "alloc-lifecycle",
  "alloc-node-exec",
  "cancel-deployment",
  "csi-list-volume",
  "csi-mount-volume",
  "csi-read-volume",
  "csi-register-plugin",
  "csi-write-volume",
  "delete-service-registration",
  "deny",
  "deregister-job",
  "dispatch-job",
  "evaluate-job",
  "fail-deployment",
  "force-periodic-job",
  "gc-allocation",
  "host-volume-create",
  "host-volume-delete",
  "host-volume-read",
  "host-volume-register",
  "host-volume-write",
  "list-jobs",
  "list-scaling-policies",
  "parse-job",
  "pause-allocation",
  "pause-deployment",
  "plan-job",
  "promote-deployment",
  "purge-job",
  "read-fs",
  "read-job",
  "read-job-scaling",
  "read-logs",
  "read-scaling-policy",
  "register-job",
  "revert-job",
  "scale-job",
  "set-alloc-health-deployment",
  "stable-job",
  "submit-job",
  "tag-job-version",
  "unblock-deployment",
  "sentinel-override",
  "submit-recommendation",
] as const;
export type NamespaceCapability = (typeof NAMESPACE_CAPABILITIES)[number];

export const NODE_POOL_CAPABILITIES = ["delete", "deny", "read", "write"] as const;
export type NodePoolCapability = (typeof NODE_POOL_CAPABILITIES)[number];

export const HOST_VOLUME_CAPABILITIES = ["deny", "mount-readonly", "mount-readwrite"] as const;

export const VARIABLE_CAPABILITIES = ["deny", "destroy", "list", "read", "write"] as const;

export const OPERATOR_CAPABILITIES = [
  "deny",
  "keyring-delete",
  "keyring-read",
  "keyring-rotate",
  "license-read",
  "snapshot-save",
] as const;

export const SENTINEL_CAPABILITIES = [
  "deny",
  "sentinel-delete",
  "sentinel-read",
  "sentinel-submit",
] as const;

/** What `policy = "…"` of a node pool, a host volume, the operator and Sentinel stands for. */
export const NODE_POOL_SHORTHANDS: Shorthands = {
  deny: ["deny"],
  read: ["read"],
  write: ["delete", "read", "write"],
};

export const HOST_VOLUME_SHORTHANDS: Shorthands = {
  deny: ["deny"],
  read: ["mount-readonly"],
  write: ["mount-readonly", "mount-readwrite"],
};

export const OPERATOR_SHORTHANDS: Shorthands = {
  deny: ["deny"],
  read: ["keyring-read", "license-read"],
  write: ["keyring-delete", "keyring-read", "keyring-rotate", "license-read", "snapshot-save"],
};

export const SENTINEL_SHORTHANDS: Shorthands = {
  deny: ["deny"],
  read: ["sentinel-read"],
  write: ["sentinel-delete", "sentinel-read", "sentinel-submit"],
};

/** Capabilities by a level. */
export type Shorthands = Readonly<Record<string, readonly string[]>>;

const NAMESPACE_READ = [
  "csi-list-volume",
  "csi-read-volume",
  "host-volume-read",
  "list-jobs",
  "list-scaling-policies",
  "parse-job",
  "read-job",
  "read-job-scaling",
  "read-scaling-policy",
] as const;

/** The same of a namespace. */
export const NAMESPACE_SHORTHANDS: Shorthands = {
  deny: ["deny"],
  read: NAMESPACE_READ,
  scale: [
    "list-scaling-policies",
    "read-job",
    "read-job-scaling",
    "read-scaling-policy",
    "scale-job",
    "submit-recommendation",
  ],
  write: [
    ...NAMESPACE_READ,
    "alloc-exec",
    "alloc-lifecycle",
    "csi-mount-volume",
    "csi-write-volume",
    "dispatch-job",
    "host-volume-create",
    "read-fs",
    "read-logs",
    "scale-job",
    "submit-job",
    "submit-recommendation",
  ],
};

/** A capability that has others in it. */
export const NAMESPACE_IMPLIED: Shorthands = {
  "host-volume-create": ["host-volume-read"],
  "host-volume-register": ["host-volume-create", "host-volume-read"],
  "host-volume-write": [
    "host-volume-create",
    "host-volume-delete",
    "host-volume-read",
    "host-volume-register",
  ],
};
