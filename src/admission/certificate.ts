/** Makes the webhook's certificate, which vouches for itself and for nothing else (RFC 5280). */
import {
  createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate,
} from 'node:crypto'
import {
  bits, integer, octets, oid, sequence, setOf, tagged, time, trueValue, utf8,
} from './der.ts'

/** A certificate with its key, both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface CertificatePlan {
  /** DNS name under which the API server asks. */
  readonly host: string
  readonly notBefore: Date
  readonly notAfter: Date
}

const oids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2', commonName: '2.5.4.3', basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15', extendedKeyUsage: '2.5.29.37', serverAuth: '1.3.6.1.5.5.7.3.1',
  subjectAltName: '2.5.29.17', subjectKeyIdentifier: '2.5.29.14',
} as const

/** A common name has at most 64 characters; who verifies reads the alternative names alone. */
const subject = 'arpeggio webhook'
/** Positive, and far from ever being drawn twice. */
const serialBytes = 16

/**
 * A fresh key (P-256) and its certificate, signed with itself. It is no authority: whoever reads
 * the Secret can pose as this webhook and as nobody else.
 */
export function makeCertificate({ host, notBefore, notAfter }: CertificatePlan): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const name = sequence(setOf(sequence(oid(oids.commonName), utf8(subject))))
  const algorithm = sequence(oid(oids.ecdsaWithSha256))
  const content = sequence(
    tagged(0, integer(Buffer.of(2))), // version 3
    integer(randomBytes(serialBytes)),
    algorithm, name, sequence(time(notBefore), time(notAfter)), name, spki,
    tagged(3, sequence(
      extension(oids.basicConstraints, true, sequence()),
      extension(oids.keyUsage, true, bits(Buffer.of(0x80), 7)), // digitalSignature
      extension(oids.extendedKeyUsage, false, sequence(oid(oids.serverAuth))),
      extension(oids.subjectAltName, false, sequence(tagged(2, Buffer.from(host), false))),
      extension(oids.subjectKeyIdentifier, false, octets(createHash('sha1').update(spki).digest())),
    )),
  )
  const signature = sign('sha256', content, privateKey)
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return { certificate: formatPem(sequence(content, algorithm, bits(signature))), key: key.toString() }
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(isCritical ? [trueValue()] : []), octets(value))
}

function formatPem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** The certificates of a PEM text, one by one. */
export function splitPem(text: string): readonly string[] {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return found.map((one) => `${one}\n`)
}

/** From when to when a certificate is good, in ms since the epoch. */
export interface Lifetime {
  readonly fromMs: number
  readonly untilMs: number
}

/** undefined = it cannot be read. */
export function lifetimeOf(certificate: string): Lifetime | undefined {
  const read = readCertificate(certificate)
  if (read === undefined) return undefined
  return { fromMs: Date.parse(read.validFrom), untilMs: Date.parse(read.validTo) }
}

function readCertificate(certificate: string): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate)
  } catch {
    return undefined
  }
}

/** Whether a certificate is for this host, and one of those trusted is itself or has signed it. */
export function vouches(trusted: readonly string[], certificate: string, host: string): boolean {
  const leaf = readCertificate(certificate)
  if (leaf?.checkHost(host) === undefined) return false
  return trusted.some((text) => {
    const issuer = readCertificate(text)
    if (issuer === undefined) return false
    return issuer.raw.equals(leaf.raw) || (issuer.ca && leaf.verify(issuer.publicKey))
  })
}

/** Whether it may sign others. */
export function isAuthority(certificate: string): boolean {
  return readCertificate(certificate)?.ca === true
}

/** Whether the key is the certificate's. */
export function isPair({ certificate, key }: KeyPair): boolean {
  try {
    return readCertificate(certificate)?.checkPrivateKey(createPrivateKey(key)) === true
  } catch {
    return false
  }
}
