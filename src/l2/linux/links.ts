/** The interfaces of this network namespace, kept current by netlink events, never by polling. */
import { sameAddress } from '../../net/address.ts'
import type { LinkAddress, LinkState } from '../model.ts'
import {
  bindSocket, closeFd, describeErrno, errnos, flagDontWait, openSocket, receive, send, setOption,
} from './libc.ts'
import { decodeMessages, encodeDump, eventGroups, type LinkEvent, type LinkFacts } from './netlink.ts'
import { openPoller } from './poller.ts'

const familyNetlink = 16
const socketRaw = 3
const protocolRoute = 0
const levelSocket = 1
const optionReceiveBuffer = 8
const optionReceiveTimeout = 20
/** Room for a burst of events: thousands of pods' interfaces may come and go at once. */
const receiveBufferBytes = 1 << 20
const datagramBytes = 1 << 16
/** A dump that the kernel interrupts more often than this is taken as it is. */
const maxDumps = 5

export interface Links extends AsyncDisposable {
  /** Sorted by index; the same list until something changes. */
  current(): readonly LinkState[]
  /** Called after each batch of changes. */
  onChange(callback: () => void): void
}

interface Known {
  readonly generation: number
  facts: LinkFacts
  addresses: readonly LinkAddress[]
}

/** Reads all interfaces and follows every change. Throws when netlink cannot be opened. */
export async function openLinks(): Promise<Links> {
  const known = new Map<number, Known>()
  const fd = openNetlink(eventGroups)
  const callbacks: (() => void)[] = []
  let current: readonly LinkState[] | undefined
  const poller = openPoller((error) => {
    throw error
  })
  const buffer = new Uint8Array(datagramBytes)
  const from = new Uint8Array(12)
  readAll(known)
  const drain = (): void => {
    let changed = false
    for (;;) {
      const bytes = receive(fd, buffer, flagDontWait, from)
      if (bytes === -errnos.noBuffers) {
        // Events were lost: only the whole truth helps.
        readAll(known)
        changed = true
        continue
      }
      if (bytes <= 0) break
      for (const event of decodeMessages(buffer.subarray(0, bytes))) {
        changed = takeEvent(known, event) || changed
      }
    }
    if (!changed) return
    current = undefined
    for (const callback of callbacks) callback()
  }
  poller.add(fd, drain)
  return {
    current: () => current ??= [...known.values()]
      .map(({ facts, addresses, generation }) => ({ ...facts, addresses, generation }))
      .toSorted((a, b) => a.index - b.index),
    onChange: (callback) => void callbacks.push(callback),
    [Symbol.asyncDispose]: async () => {
      poller.remove(fd)
      await poller[Symbol.asyncDispose]()
      closeFd(fd)
    },
  }
}

function openNetlink(groups: number): number {
  const fd = openSocket(familyNetlink, socketRaw, protocolRoute)
  if (fd < 0) throw new Error(`Cannot open netlink socket: ${describeErrno(-fd)}`)
  const address = new Uint8Array(12)
  const view = new DataView(address.buffer)
  view.setUint16(0, familyNetlink, true)
  view.setUint32(8, groups, true)
  const size = new Uint8Array(new Uint32Array([receiveBufferBytes]).buffer)
  setOption(fd, levelSocket, optionReceiveBuffer, size)
  const timeout = new Uint8Array(new BigInt64Array([2n, 0n]).buffer)
  setOption(fd, levelSocket, optionReceiveTimeout, timeout)
  const bound = bindSocket(fd, address)
  if (bound >= 0) return fd
  closeFd(fd)
  throw new Error(`Cannot bind netlink socket: ${describeErrno(-bound)}`)
}

/** Replaces `known` by a consistent dump, on a socket of its own so that no event mixes in. */
function readAll(known: Map<number, Known>): void {
  for (let attempt = 1; attempt <= maxDumps; attempt++) {
    const fresh = new Map<number, Known>()
    const links = dump('links')
    const addresses = dump('addresses')
    for (const event of [...links, ...addresses]) takeEvent(fresh, event)
    const isInterrupted = [...links, ...addresses].some((event) =>
      event.kind === 'done' && event.isInterrupted
    )
    if (isInterrupted && attempt < maxDumps) continue
    known.clear()
    for (const [index, link] of fresh) known.set(index, link)
    return
  }
}

function dump(what: 'links' | 'addresses'): readonly LinkEvent[] {
  const fd = openNetlink(0)
  try {
    const sent = send(fd, encodeDump(what))
    if (sent < 0) throw new Error(`Cannot ask for ${what}: ${describeErrno(-sent)}`)
    return receiveDump(fd, what)
  } finally {
    closeFd(fd)
  }
}

function receiveDump(fd: number, what: string): readonly LinkEvent[] {
  const buffer = new Uint8Array(datagramBytes)
  const from = new Uint8Array(12)
  const events: LinkEvent[] = []
  for (;;) {
    const bytes = receive(fd, buffer, 0, from)
    if (bytes === -errnos.interrupted) continue
    if (bytes < 0) throw new Error(`Cannot read ${what}: ${describeErrno(-bytes)}`)
    for (const event of decodeMessages(buffer.subarray(0, bytes))) {
      if (event.kind === 'error') {
        throw new Error(`Cannot read ${what}: ${describeErrno(event.errno)}`)
      }
      events.push(event)
      if (event.kind === 'done') return events
    }
  }
}

/** Counts interfaces that appeared, so that one that left and came back is known as another. */
let generations = 0

/** Folds one event into `known`; true if anything differs afterwards. */
function takeEvent(known: Map<number, Known>, event: LinkEvent): boolean {
  switch (event.kind) {
    case 'link': {
      const before = known.get(event.link.index)
      known.set(event.link.index, {
        generation: before?.generation ?? ++generations,
        facts: event.link,
        addresses: before?.addresses ?? [],
      })
      return before === undefined || !sameFacts(before.facts, event.link)
    }
    case 'linkGone':
      return known.delete(event.index)
    case 'address':
    case 'addressGone':
      return takeAddress(known, event)
    case 'done':
    case 'error':
      return false
  }
}

function takeAddress(
  known: Map<number, Known>, event: Extract<LinkEvent, { kind: 'address' | 'addressGone' }>,
): boolean {
  const link = known.get(event.index)
  if (link === undefined) return false
  const isSame = (own: LinkAddress): boolean =>
    sameAddress(own.address, event.own.address) && own.prefix.length === event.own.prefix.length
  const before = link.addresses.find(isSame)
  const others = link.addresses.filter((own) => !isSame(own))
  link.addresses = event.kind === 'address' ? [...others, event.own] : others
  if (event.kind === 'addressGone') return before !== undefined
  return before?.isTentative !== event.own.isTentative
}

function sameFacts(a: LinkFacts, b: LinkFacts): boolean {
  return a.name === b.name && a.mac === b.mac && a.mtuBytes === b.mtuBytes && a.isUp === b.isUp &&
    a.hasCarrier === b.hasCarrier && a.master === b.master && a.isNoArp === b.isNoArp &&
    a.isBroadcast === b.isBroadcast
}
