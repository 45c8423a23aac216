/** Profiles of the membership protocol: the library's LAN and WAN, and MetalLB's configuration file. */
import type { Millis } from '../net/model.ts'
import type { Bytes } from './wire/bytes.ts'

/** As in memberlist's Config; durations in ms. */
export interface Settings {
  readonly tcpTimeoutMs: Millis
  readonly indirectChecks: number
  readonly retransmitMult: number
  readonly suspicionMult: number
  readonly suspicionMaxTimeoutMult: number
  /** 0 = never; so are the other two intervals. */
  readonly pushPullIntervalMs: Millis
  readonly probeTimeoutMs: Millis
  readonly probeIntervalMs: Millis
  readonly hasTcpPings: boolean
  readonly awarenessMaxMultiplier: number
  readonly gossipNodes: number
  readonly gossipIntervalMs: Millis
  readonly gossipToTheDeadMs: Millis
  readonly verifiesIncoming: boolean
  readonly verifiesOutgoing: boolean
  readonly isCompressed: boolean
  /** What is packed into one datagram, IP and UDP headers not counted. */
  readonly packetBytes: number
}

/** memberlist.DefaultLANConfig, which MetalLB uses. */
export const lanSettings: Settings = {
  tcpTimeoutMs: 10_000, indirectChecks: 3, retransmitMult: 4, suspicionMult: 4,
  suspicionMaxTimeoutMult: 6, pushPullIntervalMs: 30_000, probeTimeoutMs: 500,
  probeIntervalMs: 1_000, hasTcpPings: true, awarenessMaxMultiplier: 8, gossipNodes: 3,
  gossipIntervalMs: 200, gossipToTheDeadMs: 30_000, verifiesIncoming: true, verifiesOutgoing: true,
  isCompressed: true, packetBytes: 1_400,
}

/** memberlist.DefaultWANConfig: MetalLB's `--ml-wan-config`. */
export const wanSettings: Settings = {
  ...lanSettings, tcpTimeoutMs: 30_000, suspicionMult: 6, pushPullIntervalMs: 60_000,
  probeTimeoutMs: 3_000, probeIntervalMs: 5_000, gossipNodes: 4, gossipIntervalMs: 500,
  gossipToTheDeadMs: 60_000,
}

type Read = (value: unknown) => Partial<Settings> | undefined

function duration(key: keyof Settings): Read {
  return (value) => {
    const ms = typeof value === 'string' ? parseGoDuration(value) : undefined
    return ms === undefined ? undefined : { [key]: ms }
  }
}

function count(key: keyof Settings): Read {
  return (value) => {
    const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_507
    return isCount ? { [key]: value } : undefined
  }
}

function flag(key: keyof Settings, wanted = true): Read {
  return (value) => typeof value === 'boolean' ? { [key]: value === wanted } : undefined
}

/** A number of MetalLB's file that concerns its own queues and metrics: checked, not used. */
const unused: Read = () => ({})

/** Keys of the file; `isDuration` ones must be there. */
const keys: Readonly<Record<string, { readonly read: Read; readonly isDuration?: true }>> = {
  TCPTimeout: { read: duration('tcpTimeoutMs'), isDuration: true },
  IndirectChecks: { read: count('indirectChecks') },
  RetransmitMult: { read: count('retransmitMult') },
  SuspicionMult: { read: count('suspicionMult') },
  SuspicionMaxTimeoutMult: { read: count('suspicionMaxTimeoutMult') },
  PushPullInterval: { read: duration('pushPullIntervalMs'), isDuration: true },
  ProbeTimeout: { read: duration('probeTimeoutMs'), isDuration: true },
  ProbeInterval: { read: duration('probeIntervalMs'), isDuration: true },
  DisableTcpPings: { read: flag('hasTcpPings', false) },
  AwarenessMaxMultiplier: { read: count('awarenessMaxMultiplier') },
  GossipNodes: { read: count('gossipNodes') },
  GossipInterval: { read: duration('gossipIntervalMs'), isDuration: true },
  GossipToTheDeadTime: { read: duration('gossipToTheDeadMs'), isDuration: true },
  GossipVerifyIncoming: { read: flag('verifiesIncoming') },
  GossipVerifyOutgoing: { read: flag('verifiesOutgoing') },
  EnableCompression: { read: flag('isCompressed') },
  HandoffQueueDepth: { read: unused },
  UDPBufferSize: { read: count('packetBytes') },
  QueueCheckInterval: { read: unused, isDuration: true },
}

/** Sentences about what is wrong; `settings` is absent where the file cannot be used. */
export interface SettingsReading {
  readonly settings: Settings | undefined
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * MetalLB's memberlist `config.json`: it replaces the WAN profile too. A missing duration is a
 * problem, as there; a missing number or flag keeps the LAN value with a warning, where MetalLB
 * takes 0 or false and stops gossiping.
 */
export function parseSettings(text: string): SettingsReading {
  const problems: string[] = []
  const warnings: string[] = []
  const fields = parseObject(text)
  if (fields === undefined) return { settings: undefined, problems: ['Is not a JSON object'], warnings }
  let settings = lanSettings
  for (const [key, { read, isDuration }] of Object.entries(keys)) {
    const value = fields.get(key)
    if (value === undefined) {
      if (isDuration === true) problems.push(`Lacks "${key}"`)
      else warnings.push(`Lacks "${key}": the LAN profile's is used`)
      continue
    }
    const part = read(value)
    if (part === undefined) problems.push(`"${key}" cannot be ${JSON.stringify(value)}`)
    else settings = { ...settings, ...part }
  }
  for (const key of fields.keys()) {
    if (!Object.hasOwn(keys, key)) warnings.push(`Has "${key}", which means nothing`)
  }
  return { settings: problems.length === 0 ? settings : undefined, problems, warnings }
}

function parseObject(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return new Map(Object.entries(value))
  } catch {
    return undefined
  }
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000,
}

/** Go's time.ParseDuration ("1m30s", "200ms", "0") in ms; undefined for other text, and below zero. */
export function parseGoDuration(text: string): Millis | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  if (!/^\+?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined
  const parts = text.matchAll(/([\d.]+)([a-zµμ]+)/g)
  return [...parts].reduce((sum, [, digits, unit]) =>
    sum + Number(digits) * (unitMs[unit ?? ''] ?? 0), 0)
}

/** SHA-256 of nothing. */
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/**
 * The AES-256 key of a secret's text, as MetalLB derives it since 0.14: the text itself, filled up
 * with the hash of nothing, cut to 32 bytes. Not trimmed, not decoded; undefined = no encryption.
 */
export function deriveKey(secret: Bytes): Bytes | undefined {
  if (secret.length === 0) return undefined
  const key = new Uint8Array(32)
  for (let i = 0; i < key.length; i++) key[i] = Number.parseInt(emptyHash.slice(2 * i, 2 * i + 2), 16)
  key.copyWithin(Math.min(32, secret.length), 0)
  key.set(secret.subarray(0, 32))
  return key
}
