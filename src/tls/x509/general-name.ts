/** GeneralName (RFC 5280 §4.2.1.6): what a certificate is for, besides its subject. */

export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ips: readonly Uint8Array[];
}

/** The tags of the kinds that anybody looks at. */
export const GeneralName = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
