/** Reading certificates: PEM as Go finds it, names, and bytes from anybody, which never throw. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isAnyServer, isServer, mayDial } from "../../src/service/rpc/roles.ts";
import {
  certificateNames,
  describeCertificate,
  parseCertificates,
} from "../../src/tls/certificate.ts";
import { type MadeCertificate, makeAuthority, makeLeaf } from "../../src/tls/make.ts";
import { readAuthorities, readChain, readPrivateKey } from "../../src/tls/pem-files.ts";
import { parseCertificate, type X509 } from "../../src/tls/x509/certificate.ts";
import { isNameOf, isSameName } from "../../src/tls/x509/host-name.ts";
import { readPem } from "../../src/tls/x509/pem.ts";
import { CertificatePool, verifyCertificate } from "../../src/tls/x509/verify.ts";

const empty = { country: "US", province: "", locality: "", streetAddress: "", postalCode: "" };
const subject = { ...empty, commonName: "Test CA", organization: "A, B", organizationalUnit: "" };
const authority = await makeAuthority(subject, 10, ["nomad", "localhost"]);
const made = await makeLeaf(authority, {
  commonName: "server.global.nomad",
  dnsNames: ["server.global.nomad", "localhost"],
  ipAddresses: [],
  days: 5,
  usages: ["server", "client"],
});

function only({ certificate }: MadeCertificate): X509 {
  const [one] = parseCertificates(certificate);
  if (one === undefined) throw new Error("no certificate");
  return one;
}

const leaf = only(made);
const root = only(authority);

describe("a certificate", () => {
  test("is described by what it says", () => {
    const info = describeCertificate(leaf);
    expect(info).toMatchObject({
      commonName: "server.global.nomad",
      dnsNames: ["server.global.nomad", "localhost"],
      keyType: "ec",
      isCa: false,
    });
    expect(info.issuer).toStartWith("C=US, O=A\\, B, CN=Test CA ");
    expect(info.notAfterMs - info.notBeforeMs).toBe(5 * 86_400_000);
    expect(describeCertificate(root).isCa).toBe(true);
  });

  test("says nothing that moves a terminal, and nothing long", async () => {
    const name = "\x1b[2Jx.nomad\nserver.global.nomad";
    const odd = only(
      await makeLeaf(authority, {
        ...{ commonName: name, dnsNames: [name, "y".repeat(2000)], ipAddresses: [] },
        ...{ days: 5, usages: ["server"] },
      }),
    );
    const info = describeCertificate(odd);
    const said = [info.subject, ...certificateNames(info)];
    expect(said.filter((one) => /\p{Cc}/u.test(one))).toEqual([]);
    expect(isServer(certificateNames(info), "global")).toBe(false);
    const options = { nowMs: Date.now(), usage: "server", host: "z" } as const;
    const fault = verifyCertificate(odd, [], new CertificatePool([root]), options);
    expect(fault?.message).toBe("certificate is valid for 2 names, but none matched z");
  });

  test("with any bytes changed, cut off or put behind is refused or read, and never throws", () => {
    const pool = new CertificatePool([root]);
    const options = { nowMs: Date.now(), usage: "server", host: "localhost" } as const;
    expect(verifyCertificate(leaf, [], pool, options)).toBeUndefined();
    const changes = fc.array(fc.tuple(fc.nat(leaf.der.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(leaf.der.length), fc.nat(9), (bytes, length, more) => {
        const whole = length % 3 === 0 ? leaf.der.length : length;
        const der = new Uint8Array(whole + (length % 5 === 0 ? more : 0));
        der.set(leaf.der.subarray(0, whole));
        for (const [at, byte] of bytes) if (at < der.length) der[at] = byte;
        const { certificate } = parseCertificate(der);
        if (certificate === undefined) return;
        const fault = verifyCertificate(certificate, [], pool, options);
        // Whatever was changed was signed, or is the signature.
        const isSame = certificate.fingerprint === leaf.fingerprint;
        expect(fault === undefined).toBe(isSame);
      }),
      { numRuns: 3000 },
    );
  });

  test("of garbage is none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(parseCertificate(bytes).certificate).toBeUndefined();
      }),
    );
  });
});

describe("PEM", () => {
  const one = authority.certificate;

  test("is found among other text, with any line ends, with spaces behind", () => {
    for (const text of [
      one,
      `some words\n${one}\nmore`,
      one.replaceAll("\n", "\r\n"),
      one.replaceAll("\n", "  \n"),
      `-----BEGIN NOTHING-----\n${one}`,
    ]) {
      expect(readAuthorities(text).content).toHaveLength(1);
    }
  });

  test("begins and ends with a line of its own", () => {
    for (const text of [
      `x${one}`,
      one.replace("-----BEGIN", " -----BEGIN"),
      one.replace(/-----END .*/, "-----END KEY-----"),
      one.replace(/-----END .*/, ""),
      one.replace("MII", "M!I"),
      one.trimEnd().slice(0, -1),
    ]) {
      const { content, faults } = readAuthorities(text);
      expect(content).toEqual([]);
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain("line 1 is not read");
    }
  });

  test("what cannot be parsed among authorities is named, and the rest is read", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const { content, faults } = readAuthorities(`${one}${broken}${made.key}${one}`);
    expect(content).toHaveLength(2);
    expect(faults.map((fault) => fault.replace(/\d+/, "N"))).toEqual([
      "the certificate in line N cannot be parsed: x509: malformed certificate",
      'the block "EC PRIVATE KEY" in line N is no certificate',
    ]);
  });

  test("a byte order mark, DER and an empty file are named", () => {
    const fault = (text: string): string => readAuthorities(text).faults.join();
    expect(fault(`\ufeff${one}`)).toContain("byte order mark");
    expect(fault("")).toBe("the file is empty");
    expect(fault("hello")).toContain("no PEM");
    expect(fault(new TextDecoder().decode(root.der))).toContain("it is DER");
    expect(readChain(made.key).faults.join()).toContain("may have been switched");
  });

  test("a key is found behind its parameters, and one with a password is named", () => {
    const parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    expect(readPrivateKey(`${parameters}${made.key}`).content?.key.asymmetricKeyType).toBe("ec");
    expect(readPrivateKey(made.certificate).faults.join()).toContain("no private key, but: CERTIF");
    const locked = made.key.replaceAll("EC PRIVATE", "ENCRYPTED PRIVATE");
    expect(readPrivateKey(locked).faults).toEqual(["the key has a password"]);
    const headers = made.key.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n");
    expect(readPem(headers).blocks[0]?.hasHeaders).toBe(true);
  });
});

describe("names", () => {
  test("match as Go matches them", () => {
    const rows = [
      ["server.global.nomad", "SERVER.global.Nomad", true],
      ["*.global.nomad", "server.global.nomad", true],
      ["*.global.nomad", "server.global.nomad.", true],
      ["*.nomad", "server.global.nomad", false],
      ["*.server.global.nomad", "server.global.nomad", false],
      ["s*.global.nomad", "server.global.nomad", false],
      ["server.*.nomad", "server.global.nomad", false],
      ["*", "localhost", false],
      ["server.global.nomad.", "server.global.nomad", false],
      ["server.global.nomad.evil.com", "server.global.nomad", false],
      ["a b", "A B", true], // No host names: compared as they are.
      ["", "", false],
    ] as const;
    for (const [pattern, host, matches] of rows) {
      expect([pattern, host, isNameOf(pattern, host)]).toEqual([pattern, host, matches]);
    }
  });

  test("of roles are whole names, whatever their case, and never wildcards", () => {
    expect(isServer(["Server.GLOBAL.nomad"], "global")).toBe(true);
    for (const name of ["*.global.nomad", "server.global.nomad.evil.com", "server.eu.nomad"]) {
      expect([name, isServer([name], "global")]).toEqual([name, false]);
    }
    expect(isAnyServer(["server.eu.nomad"])).toBe(true);
    expect(isAnyServer(["server.global.nomad.evil.com", "server.nomad"])).toBe(false);
    // A wildcard is no role, and the name of a region is never empty.
    expect(isAnyServer(["server.*.nomad", "server..nomad", "*.global.nomad"])).toBe(false);
    expect(mayDial(["CLIENT.global.nomad"], "global")).toBe(true);
    expect(mayDial(["client.eu.nomad", "cli.global.nomad"], "global")).toBe(false);
    expect(isSameName("", "")).toBe(false);
  });

  test("a certificate's are its DNS names and its common name", () => {
    const names = certificateNames(describeCertificate(leaf));
    expect(names).toEqual(["server.global.nomad", "localhost"]);
  });
});
