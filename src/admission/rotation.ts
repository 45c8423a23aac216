/** Decides what is to be done about the webhook's certificate: trust comes before use. */
import {
  isAuthority, isPair, type KeyPair, lifetimeOf, makeCertificate, splitPem, vouches,
} from './certificate.ts'

/** The Secret, as far as it concerns us; texts are PEM, '' = absent. */
export interface Stored extends KeyPair {
  readonly version: string
  /** What API servers are told to trust: the present certificate first. */
  readonly trusted: string
}

/** What the ValidatingWebhookConfiguration says of those webhooks that lead to our Service. */
export interface Told {
  readonly version: string
  readonly bundles: readonly { readonly webhook: string; readonly bundle: string }[]
}

/** What is known; replaced, never changed. */
export interface Known {
  /** undefined = there is no Secret. */
  readonly stored: Stored | undefined
  /** undefined = there is no configuration: nobody asks us. */
  readonly told: Told | undefined
  /** Made here, and not stored yet. */
  readonly fresh: KeyPair | undefined
  readonly host: string
  /** Of a new certificate, in ms. */
  readonly validityMs: number
  /** Wall clock, ms since the epoch. */
  readonly nowMs: number
}

export type Step =
  /** Make a certificate, and ask again. */
  | { readonly kind: 'make' }
  /** Have API servers trust these. */
  | { readonly kind: 'tell'; readonly bundle: string; readonly webhooks: readonly string[] }
  /** Store the fresh certificate, for every replica to serve. */
  | { readonly kind: 'store'; readonly pair: KeyPair; readonly trusted: string }
  /** Nothing, until so much time has passed. */
  | { readonly kind: 'rest'; readonly forMs: number }

/** Clocks of API servers may be late. */
const backMs = 3_600_000
/** Certificates that are trusted at a time: the present one, and those of replicas that are late. */
const maxTrusted = 3
/** So long an authority is trusted beside its successor: a replica may still serve what it has signed. */
const lateMs = 3_600_000

/**
 * A certificate is replaced when less than a third of the wanted time is left of it. Its successor
 * is trusted before it is stored, and the old one as long as it lasts; so whichever of them a
 * replica serves, and whatever fails in between, API servers can ask. An authority that somebody
 * else has left, which could sign for years, is trusted no more soon after its certificate has gone.
 */
export function nextStep(known: Known): Step {
  const { fresh, told } = known
  const isDue = dueInMs(known) <= 0
  if (isDue && fresh === undefined) return { kind: 'make' }
  const trusted = isDue && fresh !== undefined
    ? [fresh.certificate, ...stillGood(known)].slice(0, maxTrusted)
    : stillGood(known)
  const bundle = trusted.join('')
  const others = (told?.bundles ?? []).filter((one) => one.bundle !== bundle)
  if (others.length > 0) return { kind: 'tell', bundle, webhooks: others.map(({ webhook }) => webhook) }
  if (isDue && fresh !== undefined) return { kind: 'store', pair: fresh, trusted: bundle }
  const leftMs = trusted.some((one) => isLeftOver(one, known)) ? [leftOverMs(known)] : []
  return { kind: 'rest', forMs: Math.min(dueInMs(known), ...leftMs) }
}

function stillGood(known: Known): readonly string[] {
  const isLate = leftOverMs(known) <= 0
  return splitPem(known.stored?.trusted ?? '')
    .filter((one) => (lifetimeOf(one)?.untilMs ?? 0) > known.nowMs)
    .filter((one) => !(isLate && isLeftOver(one, known))).slice(0, maxTrusted)
}

/** An authority that has not signed what is stored. */
function isLeftOver(one: string, { stored, host }: Known): boolean {
  return stored !== undefined && isAuthority(one) && !vouches([one], stored.certificate, host)
}

/** How long such a one is still trusted, beside a certificate of ours. */
function leftOverMs({ stored, nowMs }: Known): number {
  const fromMs = lifetimeOf(stored?.certificate ?? '')?.fromMs ?? nowMs
  return fromMs + backMs + lateMs - nowMs
}

/** Whether replicas can serve what is stored, now. */
export function isServable({ stored, host, nowMs }: Known): boolean {
  if (stored === undefined || !isPair(stored)) return false
  const life = lifetimeOf(stored.certificate)
  if (life === undefined || life.fromMs > nowMs || life.untilMs <= nowMs) return false
  return vouches(splitPem(stored.trusted), stored.certificate, host)
}

function dueInMs(known: Known): number {
  const { stored, validityMs, nowMs } = known
  if (stored === undefined || !isServable(known)) return 0
  const untilMs = lifetimeOf(stored.certificate)?.untilMs ?? 0
  return untilMs - validityMs / 3 - nowMs
}

/** A certificate as `known` wants it, from an hour ago on. */
export function makeWanted({ host, validityMs, nowMs }: Known): KeyPair {
  return makeCertificate({
    host, notBefore: new Date(nowMs - backMs), notAfter: new Date(nowMs + validityMs),
  })
}
