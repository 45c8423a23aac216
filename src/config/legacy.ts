/** The legacy ConfigMap's text (MetalLB up to 0.12) to pools and advertisements. */
import {
  addProblem, addWarning, type At, checkKnown, field, type Fields, isFields, readBoolean, readList,
  readText,
} from './fields.ts'
import { type Entry, type RawPool, readEntries } from './pool.ts'

/** What one legacy text gives. */
export interface Legacy {
  readonly pools: readonly RawPool[]
  /** Names of pools with `protocol: layer2`: announced on all nodes and interfaces. */
  readonly layer2: readonly string[]
  /** Names of pools with `protocol: bgp`. */
  readonly bgp: readonly string[]
}

const topFields = ['address-pools', 'bgp-communities', 'peers', 'bfd-profiles']
const poolFields = [
  'name', 'protocol', 'addresses', 'avoid-buggy-ips', 'auto-assign', 'bgp-advertisements',
]
/** Spellings of before 0.6, with what they became. */
const oldFields: Readonly<Record<string, string>> = {
  cidr: 'addresses', advertisements: 'bgp-advertisements', communities: 'bgp-communities',
}

type Protocol = 'layer2' | 'bgp'

/**
 * Pools that are wrong are left out, with problems; unknown keys are problems, as in 0.12. `seen`
 * holds the names of pools so far, of this text and of those before it.
 */
export function readLegacy(value: Fields, at: At, seen: Set<string>): Legacy {
  checkKnown(value, topFields, at)
  for (const key of ['peers', 'bfd-profiles', 'bgp-communities']) {
    if (value[key] === undefined || value[key] === null) continue
    const message = `\`${key}\` is for BGP, which this program does not speak: it has no effect`
    addWarning(field(at, key), 'ForeignKind', message)
  }
  const read = readList(value['address-pools'], field(at, 'address-pools'), (each, place) => {
    const pool = readLegacyPool(each, place)
    if (pool === undefined) return undefined
    const { name } = pool.raw.pool
    if (seen.has(name)) {
      addProblem(field(place, 'name'), 'DuplicateName', `Pool "${name}" is defined twice`)
      return undefined
    }
    seen.add(name)
    return pool
  })
  const named = (protocol: Protocol): readonly string[] =>
    read.filter((pool) => pool.protocol === protocol).map(({ raw }) => raw.pool.name)
  return { pools: read.map(({ raw }) => raw), layer2: named('layer2'), bgp: named('bgp') }
}

function readLegacyPool(
  value: unknown, at: At,
): { readonly raw: RawPool; readonly protocol: Protocol | undefined } | undefined {
  if (!isFields(value)) {
    addProblem(at, 'BadType', 'Want a pool with name, protocol and addresses')
    return undefined
  }
  for (const [old, now] of Object.entries(oldFields)) {
    if (old in value) addProblem(field(at, old), 'UnknownField', `\`${old}\` is now \`${now}\``)
  }
  const current = Object.entries(value).filter(([key]) => !Object.hasOwn(oldFields, key))
  checkKnown(Object.fromEntries(current), poolFields, at)
  const name = readText(value['name'], field(at, 'name')) ?? ''
  if (name === '') addProblem(field(at, 'name'), 'MissingField', 'A pool needs a name')
  const protocol = readProtocol(value['protocol'], field(at, 'protocol'))
  const context = { at: field(at, 'addresses'), pool: name }
  const entries: readonly Entry[] = readEntries(value['addresses'] ?? value['cidr'], context)
  const autoAssign = readBoolean(value['auto-assign'], field(at, 'auto-assign'))
  const avoidBuggyIPs = readBoolean(value['avoid-buggy-ips'], field(at, 'avoid-buggy-ips'))
  if (protocol === 'layer2' && value['bgp-advertisements'] !== undefined) {
    const message = 'A layer2 pool takes no bgp-advertisements: remove them'
    addProblem(field(at, 'bgp-advertisements'), 'BadValue', message)
  }
  const pool = {
    name,
    ranges: entries.map((entry) => entry.range),
    excluded: [],
    autoAssign: autoAssign ?? true,
    avoidBuggyIPs: avoidBuggyIPs ?? false,
    labels: {},
    allocation: undefined,
  }
  return { raw: { pool, entries }, protocol }
}

function readProtocol(value: unknown, at: At): Protocol | undefined {
  const text = readText(value, at)
  if (text === 'layer2' || text === 'bgp') return text
  if (value === undefined || value === null) {
    addProblem(at, 'MissingField', 'A pool needs a protocol: write `protocol: layer2`')
  } else if (text !== undefined) {
    const hint = ['arp', 'ndp', 'l2'].includes(text.toLowerCase()) ? ': write `layer2`' : ''
    addProblem(at, 'BadValue', `Unknown protocol "${text}"${hint || '; known are layer2, bgp'}`)
  }
  return undefined
}

