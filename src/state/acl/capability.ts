/**
 * What an ACL policy of Nomad's can grant, by name, and what its shorthands and its wider
 * capabilities stand for.
 *
 * @module
 */

/** In a namespace. The last two are for Enterprise: kept, and nothing here asks for them. */
const NAMESPACE_CAPABILITIES = [
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

const NODE_POOL_CAPABILITIES = ["delete", "deny", "read", "write"] as const;
export type NodePoolCapability = (typeof NODE_POOL_CAPABILITIES)[number];
