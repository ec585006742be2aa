/** Where an agent listens unless its configuration says otherwise: Nomad's ports. */
export const DEFAULT_PORTS = { http: 4646, rpc: 4647, serf: 4648 } as const;
