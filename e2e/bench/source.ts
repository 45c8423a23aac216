/** The parts of the program that are measured from within, loaded by path, typed as used here. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

// By path and at run time, as the lab starts src/main.ts: e2e is bound to no module of the program.
const require = createRequire(import.meta.url)
const from = (path: string): string => join(import.meta.dirname, '../../src', path)

/** System calls on a file descriptor; a negative result is the negated error number. */
export interface Libc {
  openSocket(family: number, type: number, protocol: number): number
  bindSocket(fd: number, address: Uint8Array): number
  setOption(fd: number, level: number, name: number, value: Uint8Array): number
  /** Bytes received; `from` gets the sender's address. */
  receive(fd: number, into: Uint8Array, flags: number, from: Uint8Array): number
  send(fd: number, bytes: Uint8Array): number
  readonly flagDontWait: number
}

/** One instruction of classic BPF (linux/filter.h). */
export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number]

/** Loaded on demand: only the asking process needs the packet library. */
export function loadLibc(): Libc {
  const libc: Libc = require(from('l2/linux/libc.ts'))
  return libc
}

/** `option` is for SO_ATTACH_FILTER; `program` must live until that is set. */
export type EncodeFilter = (instructions: readonly Instruction[]) => {
  readonly option: Uint8Array
  readonly program: Uint8Array
}

export function loadEncodeFilter(): EncodeFilter {
  const loaded: { encodeFilter: EncodeFilter } = require(from('l2/linux/filter.ts'))
  return loaded.encodeFilter
}

/** One address as the planners write it. */
export interface Address {
  readonly family: 'ipv4' | 'ipv6'
  readonly bits: bigint
}

/** What the planners say of one Service. */
export interface Verdict {
  readonly kind: string
  readonly service: string
  readonly addresses: readonly Address[]
}

export type Held = ReadonlyMap<string, readonly Address[]>

/** The planners and what builds their input; what is only passed on stays `unknown`. */
export interface Planner {
  planAllocation(input: {
    config: object; services: readonly unknown[]; ledger?: Held
  }): readonly Verdict[]
  decide(input: object): {
    readonly verdicts: readonly Verdict[]
    readonly announcements: {
      readonly placed: readonly { readonly text: string; readonly node: string }[]
    }
  }
  pool(name: string, entries: string): unknown
  config(...pools: readonly unknown[]): object
  service(name: string, more: object): unknown
}

export function loadPlanner(): Planner {
  const planner: Planner = {
    ...require(from('ipam/plan.ts')),
    ...require(from('plan/decision.ts')),
    ...require(from('config/builders.ts')),
  }
  return planner
}
