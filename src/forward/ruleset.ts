/** The forwarding plan as one nftables transaction in libnftables-json(5). */
import type { Protocol } from '../config/model.ts'
import { formatAddress } from '../net/address.ts'
import type { Family } from '../net/model.ts'
import type { Forward, ForwardPlan, Target } from './rules.ts'

/** Nothing outside this table is ever touched. */
export const tableName = 'arpeggio'
const table = { family: 'inet', name: tableName }
const inTable = { family: 'inet', table: tableName }

type Json = Readonly<Record<string, unknown>>

const families: readonly { family: Family; ip: 'ip' | 'ip6'; type: string; digit: 4 | 6 }[] = [
  { family: 'ipv4', ip: 'ip', type: 'ipv4_addr', digit: 4 },
  { family: 'ipv6', ip: 'ip6', type: 'ipv6_addr', digit: 6 },
]

/**
 * Replaces the whole table at once; connections live on, since conntrack is not touched.
 * Destination NAT before routing and for local programs, rejects after it, source NAT last.
 */
export function encodeRuleset(plan: ForwardPlan): Json {
  const chains = plan.forwards.flatMap((forward, i) => encodeForward(forward, i))
  return {
    nftables: [
      { add: { table } },
      { delete: { table } },
      { add: { table } },
      ...baseChains.map((chain) => ({ add: { chain: { ...inTable, ...chain } } })),
      ...chains,
      ...families.flatMap((one) => encodeSets(one, plan)),
      ...['prerouting', 'output'].flatMap((chain) =>
        families.map(({ ip, digit }) => rule(chain, lookUp(ip, digit)))
      ),
      ...['unserved', 'unserved-local'].flatMap((chain) =>
        families.flatMap(({ ip, digit }) => rejectRules(chain, ip, digit))
      ),
      ...families.map(({ ip, digit }) => rule('postrouting', masquerade(ip, digit))),
    ],
  }
}

/** Removes the table; adding it first makes that succeed when there is none. */
export function encodeRemoval(): Json {
  return { nftables: [{ add: { table } }, { delete: { table } }] }
}

/** Priorities: destination NAT is at -100 (dstnat), source NAT at 100 (srcnat). */
const baseChains: readonly Json[] = [
  { name: 'prerouting', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' },
  { name: 'output', type: 'nat', hook: 'output', prio: -100, policy: 'accept' },
  { name: 'unserved', type: 'filter', hook: 'prerouting', prio: -50, policy: 'accept' },
  { name: 'unserved-local', type: 'filter', hook: 'output', prio: -50, policy: 'accept' },
  { name: 'postrouting', type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
]

function rule(chain: string, expr: readonly Json[]): Json {
  return { add: { rule: { ...inTable, chain, expr } } }
}

function payload(protocol: string, name: string): Json {
  return { payload: { protocol, field: name } }
}

function match(left: Json, right: unknown, op = '=='): Json {
  return { match: { op, left, right } }
}

const l4proto: Json = { meta: { key: 'l4proto' } }

function lookUp(ip: string, digit: number): readonly Json[] {
  const key = { concat: [payload(ip, 'daddr'), l4proto, payload('th', 'dport')] }
  return [{ vmap: { key, data: `@services${digit}` } }]
}

/** What destination NAT left alone is served by nobody: say so at once, and never forward it. */
function rejectRules(chain: string, ip: string, digit: number): readonly Json[] {
  const isOurs = match(payload(ip, 'daddr'), `@addresses${digit}`)
  return [
    rule(chain, [isOurs, match(l4proto, 'tcp'), { reject: { type: 'tcp reset' } }]),
    rule(chain, [
      isOurs, match(l4proto, { set: ['udp', 'sctp'] }),
      { reject: { type: 'icmpx', expr: 'port-unreachable' } },
    ]),
    rule(chain, [isOurs, { drop: null }]),
  ]
}

/** By original address alone: Services that share one have the same traffic policy. */
function masquerade(ip: string, digit: number): readonly Json[] {
  const original = { ct: { key: `${ip} daddr`, dir: 'original' } }
  return [
    match({ ct: { key: 'status' } }, 'dnat', 'in'),
    match(original, `@masquerade${digit}`),
    { masquerade: null },
  ]
}

function encodeSets(
  of: { family: Family; type: string; digit: number }, plan: ForwardPlan,
): readonly Json[] {
  const { family, type, digit } = of
  const tuple = [type, 'inet_proto', 'inet_service']
  const own = plan.forwards.map((forward, i) => ({ forward, i }))
    .filter(({ forward }) => forward.address.family === family)
  const set = (name: string, setType: unknown, elem: readonly unknown[]): Json =>
    ({ add: { set: { ...inTable, name, type: setType, ...(elem.length === 0 ? {} : { elem }) } } })
  const elements = own.map(({ forward, i }) => [keyOf(forward), { goto: { target: `svc-${i}` } }])
  const addresses = plan.addresses.filter((address) => address.family === family)
  const masked = own.filter(({ forward }) => forward.masquerade)
    .map(({ forward }) => formatAddress(forward.address))
  return [
    set(`addresses${digit}`, type, addresses.map(formatAddress)),
    set(`masquerade${digit}`, type, [...new Set(masked)]),
    { add: { map: { ...inTable, name: `services${digit}`, type: tuple, map: 'verdict',
      ...(elements.length === 0 ? {} : { elem: elements }) } } },
  ]
}

function keyOf(forward: Forward): Json {
  return { concat: [formatAddress(forward.address), protocolName(forward.protocol), forward.port] }
}

function protocolName(protocol: Protocol): string {
  return protocol.toLowerCase()
}

/** A chain with one rule, which picks an endpoint for each new connection. */
function encodeForward(forward: Forward, i: number): readonly Json[] {
  const name = `svc-${i}`
  const family = forward.address.family === 'ipv4' ? 'ip' : 'ip6'
  // The nat statement needs to know that the packet has ports.
  const hasPorts = match(l4proto, protocolName(forward.protocol))
  return [
    { add: { chain: { ...inTable, name } } },
    rule(name, [hasPorts, { dnat: { family, ...destination(forward.targets) } }]),
  ]
}

function destination(targets: readonly Target[]): Json {
  const [only] = targets
  if (targets.length === 1 && only !== undefined) {
    return { addr: formatAddress(only.address), port: only.port }
  }
  const key = { numgen: { mode: 'random', mod: targets.length, offset: 0 } }
  const set = targets.map(({ address, port }, j) =>
    [j, { concat: [formatAddress(address), port] }]
  )
  return { addr: { map: { key, data: { set } } } }
}
