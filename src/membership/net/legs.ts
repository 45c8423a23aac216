/** Further local addresses of one member, each with its socket: opened while wanted, tried again. */
import { formatAddress } from '../../net/address.ts'
import type { Address, Millis } from '../../net/model.ts'
import type { Drop } from '../model.ts'
import type { Bytes } from '../wire/bytes.ts'
import { type DatagramOptions, type Datagrams, openDatagrams } from './datagrams.ts'

/** Where a datagram has come to, and how long it has waited there. */
export interface Arrival {
  readonly local: Address
  readonly ageMs: Millis
}

export interface LegOptions extends Pick<DatagramOptions, 'ageOf'> {
  /** The ring's own address and socket: a leg that is always there. */
  readonly main: Address
  readonly datagrams: Datagrams
  readonly port: number
  readonly onPacket: (packet: Bytes, from: string, at: Arrival) => void
  readonly drop: (reason: Drop) => void
}

export interface Legs {
  set(addresses: readonly Address[]): void
  /** The socket of that local address, once it is open. */
  find(local: Address): Datagrams | undefined
  end(): Promise<void>
}

/** An address may still be tentative, or the interface down. */
const retryMs = 1_000

/** Starts with the main leg only. */
export function openLegs(options: LegOptions): Legs {
  const { main, datagrams, port, onPacket, drop } = options
  const mainKey = formatAddress(main)
  let wanted = new Map<string, Address>()
  const open = new Map<string, Datagrams>([[mainKey, datagrams]])
  const opening = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const reconcile = (): void => {
    clearTimeout(timer)
    for (const [key, leg] of open) {
      if (key === mainKey || wanted.has(key)) continue
      open.delete(key)
      void leg.close()
    }
    for (const [key, address] of wanted) {
      if (!open.has(key) && !opening.has(key)) void tryOpen(key, address)
    }
  }
  const tryOpen = async (key: string, address: Address): Promise<void> => {
    opening.add(key)
    try {
      const leg = await openDatagrams({
        address: key, port,
        ageOf: options.ageOf,
        onPacket: (packet, from, _, ageMs) => onPacket(packet, from, { local: address, ageMs }),
        onSendFailure: () => drop('sendFailed'),
        onError: () => drop('sendFailed'),
      })
      open.set(key, leg)
    } catch {
      drop('legUnavailable')
    } finally {
      opening.delete(key)
    }
    if (open.has(key) && !wanted.has(key)) reconcile()
    else if (!open.has(key) && wanted.has(key)) timer = setTimeout(reconcile, retryMs)
  }
  return {
    set: (addresses) => {
      wanted = new Map(addresses.map((address) => [formatAddress(address), address] as const)
        .filter(([key]) => key !== mainKey))
      reconcile()
    },
    find: (local) => open.get(formatAddress(local)),
    end: async () => {
      wanted = new Map()
      clearTimeout(timer)
      const closing = [...open].filter(([key]) => key !== mainKey).map(([, leg]) => leg.close())
      open.clear()
      await Promise.all(closing)
    },
  }
}
