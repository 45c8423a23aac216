/** What the certificate says, in DER and to those who verify it. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isPair, makeCertificate, splitPem, vouches } from './certificate.ts'
import { authority, signed } from './left-behind.ts'
import { bits, integer, octets, oid, sequence, setOf, tagged, time, trueValue, utf8 } from './der.ts'

const host = 'metallb-webhook-service.metallb-system.svc'
const plan = { host, notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z') }

const hexOf = (text: string): string => Buffer.from(text).toString('hex')

// X.690 8 and 11; RFC 5280 §4.1.2.5.
const codes: readonly (readonly [it: string, made: Buffer, hex: string])[] = [
  ['an empty sequence', sequence(), '3000'],
  ['a set of a sequence', setOf(sequence()), '31023000'],
  ['zero', integer(Buffer.of(0)), '020100'],
  ['an integer with its highest bit', integer(Buffer.of(0x80)), '02020080'],
  ['an integer without its zeros', integer(Buffer.of(0, 0, 1)), '020101'],
  ['an integer of no bytes', integer(Buffer.of()), '020100'],
  ['true', trueValue(), '0101ff'],
  ['one bit', bits(Buffer.of(0x80), 7), '03020780'],
  ['bytes', octets(Buffer.of(1)), '040101'],
  ['text', utf8('a'), '0c0161'],
  ['ecdsa-with-SHA256', oid('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
  ['an arc of two bytes', oid('2.5.29.128'), '0604551d8100'],
  ['a tag around others', tagged(3, sequence()), 'a3023000'],
  ['a tag of its own', tagged(2, Buffer.from('a'), false), '820161'],
  ['a time before 2050', time(new Date('2049-12-31T23:59:59.9Z')), `170d${hexOf('491231235959Z')}`],
  ['a time after', time(new Date('2050-01-01T00:00:00Z')), `180f${hexOf('20500101000000Z')}`],
  ['128 bytes', octets(Buffer.alloc(128)).subarray(0, 3), '048180'],
  ['256 bytes', octets(Buffer.alloc(256)).subarray(0, 4), '04820100'],
]
for (const [it, made, hex] of codes) test(`DER: ${it}`, () => assert.is(made.toString('hex'), hex))

test('who verifies it finds a server of this name, that is no authority, signed with its own key', () => {
  const { certificate, key } = makeCertificate(plan)
  const read = new X509Certificate(certificate)
  assert.is(read.subject, 'CN=arpeggio webhook')
  assert.is(read.issuer, read.subject)
  assert.is(read.checkHost(host), host)
  assert.is(read.checkHost('metallb-webhook-service.default.svc'), undefined)
  assert.is(read.ca, false)
  assert.ok(read.verify(read.publicKey))
  assert.equal([read.validFrom, read.validTo], ['Jan  1 00:00:00 2026 GMT', 'Jan  1 00:00:00 2027 GMT'])
  assert.equal(createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('hex'),
    read.publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))
})

test('no two are alike', () => {
  const [a, b] = [makeCertificate(plan), makeCertificate(plan)]
  const serials = [a, b].map(({ certificate }) => new X509Certificate(certificate).serialNumber)
  assert.is(new Set(serials).size, 2)
  assert.equal([isPair(a), isPair({ ...a, key: b.key })], [true, false])
  assert.ok(vouches([b.certificate, a.certificate], a.certificate, host))
  assert.not.ok(vouches([b.certificate], a.certificate, host))
  assert.equal(splitPem(`${a.certificate}\nsomething\n${b.certificate}`), [a.certificate, b.certificate])
})

test('one that an authority has signed is trusted with it, and with nothing else', () => {
  assert.ok(vouches([makeCertificate(plan).certificate, authority], signed, host))
  assert.not.ok(vouches([authority], signed, 'other.metallb-system.svc'))
  assert.not.ok(vouches([authority], makeCertificate(plan).certificate, host))
  assert.not.ok(vouches([signed], authority, host))
  assert.not.ok(vouches(['x'], signed, host))
  assert.not.ok(vouches([authority], 'x', host))
})

test.run()
