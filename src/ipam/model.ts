/** What the allocator decides: one verdict per Service, rows that change nothing included. */
import type { Address } from '../net/model.ts'
import type { IntentRefusal } from '../config/model.ts'

/** Why a LoadBalancer Service of ours gets no address. */
export type Refusal =
  | IntentRefusal
  | 'noPool' // no pool is configured
  | 'noAutoPool' // pools exist, but none may be chosen automatically for this Service
  | 'poolExhausted' // no free address of the wanted families
  | 'unknownPool' // the requested pool does not exist
  | 'poolNotForService' // namespaces or service selectors of the pool exclude it
  | 'addressNotInPool' // no pool contains the requested address
  | 'addressesInTwoPools' // requested addresses lie in different pools
  | 'addressNotInRequestedPool'
  | 'addressExcluded' // requested, but excluded by annotation or by avoidBuggyIPs
  | 'addressInUse' // held by another Service, no sharing key on both
  | 'sharingKeyMismatch' // sharing keys or traffic policies of the sharers differ
  | 'portInUse' // sharers ask for the same protocol and port

/** Why an address that a Service held is taken from it. */
export type Release =
  | 'notLoadBalancer' // its type changed
  | 'otherClass' // its loadBalancerClass changed
  | 'notInPool' // no pool contains it any more
  | 'poolNotForService'
  | 'otherPoolRequested'
  | 'otherAddressRequested'
  | 'familyNotWanted' // the Service no longer has that family
  | 'sharingBroken' // an older holder of the address no longer shares with it
  | 'addressExcluded' // avoidBuggyIPs was switched on
  | 'refused' // the Service as it stands cannot hold any address
  | 'foreignHost' // a machine that is none of ours has it, and another one was free

/** Why a Service is none of our business. */
export type Ignored = 'otherClass'

export interface Dropped {
  readonly address: Address
  readonly reason: Release
  /** Of the machine that has it, for `foreignHost`; '' = not known. */
  readonly mac?: string
}

export type Verdict =
  | {
      readonly kind: 'assigned' | 'kept'
      readonly service: string
      readonly pool: string
      /** In the order status shows them; held ones first, in their order. */
      readonly addresses: readonly Address[]
      /** Held before and not any more. */
      readonly dropped: readonly Dropped[]
      /** Set when a PreferDualStack Service has only one family: what is missing and why. */
      readonly lacking: string | undefined
    }
  | {
      readonly kind: 'released'
      readonly service: string
      readonly reason: Release
      readonly dropped: readonly Dropped[]
    }
  | {
      readonly kind: 'refused'
      readonly service: string
      readonly reason: Refusal
      /** A sentence that counts what is free and says what would help. */
      readonly message: string
      readonly dropped: readonly Dropped[]
    }
  | { readonly kind: 'ignored'; readonly service: string; readonly reason: Ignored }
