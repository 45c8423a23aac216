/** What a simulated cluster consists of: names, addresses, units. */
import { parseAddress } from '../net/address.ts'
import type { Address, Prefix } from '../net/model.ts'
import type { Leg, Nominee, UnitAddress } from '../ownership/model.ts'
import type { Placement } from '../l2/placement.ts'
import type { Costs } from './machine.ts'
import { goodQuality, type Quality } from './segment.ts'

/** How a run begins; everything random in it comes from the seed. */
export interface Options {
  readonly seed: number
  readonly nodes: number
  /** Each node has a leg on each of them. */
  readonly segments: 1 | 2
  readonly units: number
  readonly isDual: boolean
  readonly placement: Placement
  readonly quality: Quality
  readonly hasGateway: boolean
  /** Ordinary hosts that use the addresses. */
  readonly clients: number
  /** Gossip takes the way over the first segment, or a network of its own. */
  readonly isGossipCarried: boolean
  /** Membership is production's, on virtual time; else a model with its times. */
  readonly hasRings: boolean
  /** A host asks for the first unit by broadcast that often, as the one that measures; 0 = none does. */
  readonly askEveryMs: number
  /** That many of the nodes, the last ones, are MetalLB speakers. */
  readonly strangers: number
  /** The fabric answers asks in the name of whom it believes to be the owner. */
  readonly isSuppressing: boolean
  /** undefined = processors are infinitely fast. */
  readonly costs: Costs | undefined
}

export const plainOptions: Options = {
  seed: 1, nodes: 3, segments: 1, units: 4, isDual: false, placement: 'sticky',
  quality: goodQuality, hasGateway: true, clients: 1, isGossipCarried: false, hasRings: false, askEveryMs: 0,
  strangers: 0, isSuppressing: false, costs: undefined,
}

/** Documentation prefixes; units beyond the IPv4 one have IPv6 addresses. */
const legPrefixes = ['192.0.2.0', '198.51.100.0'] as const
const mostIPv4Units = 200

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new RangeError(`Cannot read the address "${text}"`)
  return parsed
}

function prefix(text: string, length: number): Prefix {
  const { family, bits } = address(text)
  return { family, bits, length }
}

export function nodeName(index: number): string {
  return `n${index + 1}`
}

/** The last nodes are MetalLB speakers. */
export function isStranger({ nodes, strangers }: Options, name: string): boolean {
  return Number(name.slice(1)) > nodes - strangers
}

function macOfLeg(index: number, segment: number): string {
  return `02:00:5e:00:${(0x53 + segment).toString(16)}:${(index + 1).toString(16).padStart(2, '0')}`
}

export function planLeg(index: number, segment: number): Leg {
  const host = index + 10
  return {
    name: `eth${segment}`, ifindex: 2 + segment, mac: macOfLeg(index, segment),
    addresses: [
      {
        address: address((legPrefixes[segment] ?? '').replace(/0$/, `${host}`)),
        prefix: prefix(legPrefixes[segment] ?? '', 24),
      },
      { address: address(`2001:db8:${segment}::${host.toString(16)}`),
        prefix: prefix(`2001:db8:${segment}::`, 64) },
      { address: address(`fe80::5eff:fe00:${(0x5300 + host).toString(16)}`),
        prefix: prefix('fe80::', 64) },
    ],
  }
}

/** The gateway is host 1; clients follow from 200 on. */
export function planHost(number: number, segment: number): {
  readonly mac: string; readonly addresses: readonly Address[]
} {
  return {
    mac: `02:00:5e:00:${(0x63 + segment).toString(16)}:${number.toString(16).padStart(2, '0')}`,
    addresses: [
      address((legPrefixes[segment] ?? '').replace(/0$/, `${number}`)),
      address(`2001:db8:${segment}::ffff:${number.toString(16)}`),
    ],
  }
}

/**
 * Nodes that have endpoints of a Service with policy Local; `ending`: all that the node has terminates, and
 * serves still.
 */
export type Endpoints = ReadonlyMap<string, 'ready' | 'ending'>

/** A unit: its key is the text of its first address. */
export interface Unit {
  readonly key: string
  readonly addresses: readonly UnitAddress[]
  /** Every node answers on all its legs. */
  readonly interfaces: ReadonlyMap<string, 'all'>
  /** undefined = policy Cluster: every node serves. */
  readonly endpoints: Endpoints | undefined
}

export function planUnit(index: number, isDual: boolean, endpoints?: Endpoints): Unit {
  const ipv4 = `203.0.113.${index + 1}`
  const ipv6 = `2001:db8:2::${(index + 1).toString(16)}`
  const texts = index >= mostIPv4Units ? [ipv6] : isDual ? [ipv4, ipv6] : [ipv4]
  const addresses = texts.map((text) => ({ address: address(text), text }))
  const interfaces = new Map(texts.map((text) => [text, 'all' as const]))
  return { key: texts[0] ?? '', addresses, interfaces, endpoints }
}

/** Those of the nodes that may own the unit. */
export function nomineesOf({ interfaces, endpoints }: Unit, nodes: readonly string[]): readonly Nominee[] {
  if (endpoints === undefined) return nodes.map((node) => ({ node, score: 0, interfaces }))
  return nodes.filter((node) => endpoints.has(node)).map((node) =>
    ({ node, score: 0, interfaces, isEnding: endpoints.get(node) === 'ending' }))
}
