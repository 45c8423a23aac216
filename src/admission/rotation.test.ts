/** When the webhook's certificate is replaced, in which order, and what API servers are told to trust. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type KeyPair, lifetimeOf, splitPem, vouches } from './certificate.ts'
import { authority, signed } from './left-behind.ts'
import {
  isServable, type Known, makeWanted, nextStep, type Step, type Stored, type Told,
} from './rotation.ts'

const host = 'hook.metallb-system.svc'
const day = 86_400_000
const start = Date.parse('2026-01-01T00:00:00Z')
const bare: Known = {
  stored: undefined, told: undefined, fresh: undefined, host, validityMs: 90 * day, nowMs: start,
}
const make = (more: Partial<Known> = {}): KeyPair => makeWanted({ ...bare, ...more })
const store = (pair: KeyPair, trusted = pair.certificate): Stored => ({ ...pair, trusted, version: '1' })
const tell = (...list: readonly string[]): Told =>
  ({ version: '1', bundles: list.map((bundle, i) => ({ webhook: `w${i}`, bundle })) })

const old = make()
const other = make()
const elsewhere = make({ host: 'hook.default.svc' })
const expired = make({ nowMs: start - 200 * day })
const late = start + 61 * day
const hour = day / 24
/** An authority of MetalLB's, beside a certificate of ours that has taken the place of its own. */
const leftBehind: Partial<Known> = {
  stored: store(old, old.certificate + authority), told: tell(old.certificate + authority),
}

/** What a step is, with names for certificates. */
function describe(step: Step): string {
  const pairs = Object.entries({ old, other, expired, authority: { certificate: authority } })
  const names = new Map(pairs.map(([name, { certificate }]) => [certificate, name]))
  const list = (bundle: string): string => splitPem(bundle).map((one) => names.get(one) ?? '?').join('+')
  if (step.kind === 'tell') return `tell ${step.webhooks.join()} ${list(step.bundle)}`
  if (step.kind === 'store') return `store ${names.get(step.pair.certificate)} ${list(step.trusted)}`
  return step.kind === 'rest' ? `rest ${step.forMs / day}` : step.kind
}

const rows: readonly { readonly it: string; readonly known: Partial<Known>; readonly want: string }[] = [
  { it: 'nothing is there: a certificate is made', known: {}, want: 'make' },
  { it: 'nobody asks us: it is stored', known: { fresh: old }, want: 'store old old' },
  { it: 'it is told before it is stored', known: { fresh: old, told: tell('', '') }, want: 'tell w0,w1 old' },
  { it: 'told: it is stored', known: { fresh: old, told: tell(old.certificate) }, want: 'store old old' },
  { it: 'stored and told: until a third is left', want: 'rest 60',
    known: { stored: store(old), told: tell(old.certificate) } },
  { it: 'stored, and a webhook is not told: that one is', want: 'tell w1 old',
    known: { stored: store(old), told: tell(old.certificate, 'x') } },
  { it: 'no webhook leads here', known: { stored: store(old), told: tell() }, want: 'rest 60' },
  { it: 'a third is left: another is made', known: { stored: store(old), nowMs: late }, want: 'make' },
  { it: 'the successor is trusted beside it', want: 'tell w0 other+old',
    known: { stored: store(old), nowMs: late, fresh: other, told: tell(old.certificate) } },
  { it: 'then stored', want: 'store other other+old', known: {
    stored: store(old), nowMs: late, fresh: other, told: tell(other.certificate + old.certificate) } },
  { it: 'both are trusted as long as both last', want: 'rest 60', known: {
    stored: store(other, other.certificate + old.certificate),
    told: tell(other.certificate + old.certificate) } },
  { it: 'an expired one is trusted no more', want: 'tell w0 other', known: {
    stored: store(other, other.certificate + expired.certificate),
    told: tell(other.certificate + expired.certificate) } },
  { it: 'what an authority has signed is replaced: replicas may still serve it',
    want: 'tell w0 old+authority', known: {
      stored: { certificate: signed, key: '', trusted: authority, version: '1' }, fresh: old,
      told: tell(authority) } },
  { it: 'an authority that has signed nothing of ours is trusted for an hour', known: leftBehind,
    want: `rest ${1 / 24}` },
  { it: 'then no more', known: { ...leftBehind, nowMs: start + hour }, want: 'tell w0 old' },
  { it: 'and is forgotten with the next certificate', want: 'store other other+old', known: {
    ...leftBehind, nowMs: late, fresh: other, told: tell(other.certificate + old.certificate) } },
  { it: 'a shorter life is wanted: what is there may stay', want: 'rest 80',
    known: { stored: store(old), validityMs: 30 * day } },
  { it: 'a longer life is wanted: it is replaced', known: { stored: store(old), validityMs: 900 * day },
    want: 'make' },
  { it: 'a leader whose certificate was overtaken keeps what is stored', want: 'tell w0 old',
    known: { stored: store(old), fresh: other, told: tell(other.certificate) } },
  { it: 'somebody took the Secret away', known: { told: tell(old.certificate) }, want: 'make' },
  { it: 'of another name', known: { stored: store(elsewhere) }, want: 'make' },
  { it: 'with the key of another', known: { stored: store({ ...old, key: other.key }) }, want: 'make' },
  { it: 'with a key that is none', known: { stored: store({ ...old, key: 'x' }) }, want: 'make' },
  { it: 'that is no certificate', known: { stored: store({ ...old, certificate: 'x' }) }, want: 'make' },
  { it: 'that nobody trusts', known: { stored: store(old, other.certificate) }, want: 'make' },
  { it: 'an empty Secret, as MetalLB\'s manifest has it', want: 'make',
    known: { stored: { version: '1', certificate: '', key: '', trusted: '' } } },
  { it: 'expired', known: { stored: store(expired) }, want: 'make' },
  { it: 'not good yet', known: { stored: store(old), nowMs: start - day }, want: 'make' },
]
for (const { it, known, want } of rows) {
  test(it, () => assert.is(describe(nextStep({ ...bare, ...known })), want))
}

test('at most three are trusted', () => {
  const trusted = [old, other, make(), make()].map(({ certificate }) => certificate).join('')
  const step = nextStep({ ...bare, stored: store(old, trusted), nowMs: late, fresh: make({ nowMs: late }) })
  assert.is(step.kind === 'store' && splitPem(step.trusted).length, 3)
})

test('in each state on the way, what a replica serves is trusted', () => {
  // As the leader goes: each step is seen by all before the next; a replica may be one step late.
  let known: Known = { ...bare, stored: store(old), told: tell(old.certificate), nowMs: late }
  const steps: string[] = []
  let served = old
  for (let i = 0; i < 8; i += 1) {
    const step = nextStep(known)
    steps.push(step.kind)
    if (step.kind === 'rest') break
    if (step.kind === 'make') known = { ...known, fresh: makeWanted(known) }
    if (step.kind === 'tell') known = { ...known, told: tell(step.bundle) }
    if (step.kind === 'store') known = { ...known, stored: store(step.pair, step.trusted) }
    const trusted = splitPem(known.told?.bundles[0]?.bundle ?? '')
    for (const pair of [served, known.stored ?? old]) assert.ok(vouches(trusted, pair.certificate, host))
    assert.ok(isServable(known))
    served = known.stored ?? old
  }
  assert.equal(steps, ['make', 'tell', 'store', 'rest'])
})

test('a certificate lives as long as is wanted, and began an hour ago', () => {
  assert.equal(lifetimeOf(old.certificate), { fromMs: start - 3_600_000, untilMs: start + 90 * day })
})

test.run()
