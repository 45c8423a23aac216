/** Reviews as API servers send them, and the answers they take. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { allowed, formatReview, parseReview } from './review.ts'

const pool = { kind: 'IPAddressPool', metadata: { name: 'lan', namespace: 'metallb-system' } }
const request = {
  uid: 'u1', kind: { group: 'metallb.io', version: 'v1beta1', kind: 'IPAddressPool' },
  namespace: 'metallb-system', name: 'lan', userInfo: { username: 'admin' },
}
const parse = (more: object): unknown => parseReview({ request: { ...request, ...more } })
const who = { uid: 'u1', kind: 'IPAddressPool', namespace: 'metallb-system', name: 'lan', user: 'admin' }

const rows: readonly { readonly it: string; readonly given: unknown; readonly want: unknown }[] = [
  { it: 'no review', given: parseReview([]), want: 'Want an AdmissionReview with a request' },
  { it: 'no uid to answer to', given: parse({ uid: '' }), want: 'Want an AdmissionReview with a request' },
  { it: 'no object', given: parse({ object: null }), want: 'Want an AdmissionReview with an object' },
  { it: 'created', given: parse({ operation: 'CREATE', object: pool, oldObject: null, dryRun: true }),
    want: { ...who, isDryRun: true, change: { before: undefined, after: pool } } },
  { it: 'updated', given: parse({ operation: 'UPDATE', object: pool, oldObject: pool }),
    want: { ...who, isDryRun: false, change: { before: pool, after: pool } } },
  { it: 'deleted', given: parse({ operation: 'DELETE', object: null, oldObject: pool }),
    want: { ...who, isDryRun: false, change: { before: pool, after: undefined } } },
]
for (const { it, given, want } of rows) test(it, () => assert.equal(given, want))

const head = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }

test('allowed: nothing more is said', () => {
  assert.equal(formatReview('u1', allowed), { ...head, response: { uid: 'u1', allowed: true } })
})

test('refused, with the status that MetalLB gives, and warnings', () => {
  assert.equal(formatReview('u1', { isAllowed: false, message: 'why', warnings: ['w'] }), {
    ...head, response: {
      uid: 'u1', allowed: false, warnings: ['w'],
      status: { code: 403, reason: 'Forbidden', message: 'why' },
    },
  })
})

test('an API server takes sixteen warnings', () => {
  const warnings = Array.from({ length: 17 }, (_, i) => `w${i}`)
  const { response } = formatReview('u1', { ...allowed, warnings })
  assert.equal(response, { uid: 'u1', allowed: true, warnings: warnings.slice(0, 16) })
})

test.run()
