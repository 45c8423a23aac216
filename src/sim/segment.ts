/** A virtual Ethernet segment: a learning bridge with faults on each port and a capture in its middle. */
import { decodeMac } from '../l2/frame.ts'
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import { after, type Clock } from './clock.ts'
import type { Random } from './random.ts'

/** What a port's owner gives and gets. */
export interface Port {
  /** For the history: `n3/eth0`, `gateway`. */
  readonly name: string
  readonly mac: Mac
  /** The frame must not be changed by anybody. */
  readonly receive: (frame: Uint8Array) => void
  /** Ports of different sides do not hear each other: a split has two, a lost uplink is a side alone. */
  side: number
  hasCarrier: boolean
  /** The direction towards the port loses everything. */
  isReceiveDead: boolean
  /** The direction from the port loses everything. */
  isSendDead: boolean
}

export interface Quality {
  /** Of one delivery to one port. */
  readonly loss: number
  readonly duplicate: number
  readonly delayMs: Millis
  /** Added to the delay of a frame, up to this. */
  readonly jitterMs: Millis
}

export const goodQuality: Quality = { loss: 0, duplicate: 0, delayMs: 0.05, jitterMs: 0.05 }

/** Good, but for this part of the frames. */
export function lossy(loss: number): Quality {
  return { ...goodQuality, loss }
}

/** A frame on the bridge, as the capture sees it. */
export interface Captured {
  readonly segment: Segment
  readonly from: Port
  readonly frame: Uint8Array
}

export interface Segment {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly ports: Port[]
  readonly byMac: Map<Mac, Port>
  quality: Quality
  /** What has made it worse for now, newest last. */
  readonly worsened: Quality[]
  /** Sees each frame that reached the bridge. */
  readonly capture: (captured: Captured) => void
  /** A fabric that answers in place of hosts; true = it has answered, and the frame goes nowhere. */
  fabric: ((from: Port, frame: Uint8Array) => boolean) | undefined
  frames: number
}

export function createSegment(
  name: string, clock: Clock, random: Random, capture: (captured: Captured) => void,
): Segment {
  return {
    name, clock, random, ports: [], byMac: new Map(), quality: goodQuality, worsened: [], capture,
    fabric: undefined, frames: 0,
  }
}

/** A new port, plugged in. */
export function plug(
  segment: Segment, port: Pick<Port, 'name' | 'mac' | 'receive'>,
): Port {
  const plugged: Port = {
    ...port, side: 0, hasCarrier: true, isReceiveDead: false, isSendDead: false,
  }
  segment.ports.push(plugged)
  segment.byMac.set(port.mac, plugged)
  return plugged
}

/** Whether frames reach the bridge from the port. */
export function canSend(port: Port): boolean {
  return port.hasCarrier && !port.isSendDead
}

export function canHear(port: Port): boolean {
  return port.hasCarrier && !port.isReceiveDead
}

/** Sends a frame from a port: to the port of its destination, or to all of its side. */
export function transmit(segment: Segment, from: Port, frame: Uint8Array): void {
  if (!canSend(from)) return
  const { clock, random, quality } = segment
  segment.frames++
  segment.capture({ segment, from, frame })
  if (segment.fabric?.(from, frame) === true) return
  const isGroup = ((frame[0] ?? 0) & 1) === 1
  const to = isGroup ? undefined : segment.byMac.get(decodeMac(frame, 0))
  if (!isGroup && (to === undefined || to.side !== from.side)) return
  const delayMs = quality.delayMs + random.next() * quality.jitterMs
  after(clock, delayMs, () => deliver(segment, from, to, frame))
  if (quality.duplicate === 0 || !random.chance(quality.duplicate)) return
  after(clock, delayMs + random.next() * 5, () => deliver(segment, from, to, frame))
}

function deliver(
  segment: Segment, from: Port, to: Port | undefined, frame: Uint8Array,
): void {
  if (to !== undefined) {
    deliverTo(segment, from, to, frame)
    return
  }
  for (const port of segment.ports) if (port !== from) deliverTo(segment, from, port, frame)
}

function deliverTo(segment: Segment, from: Port, to: Port, frame: Uint8Array): void {
  if (to.side !== from.side || !canHear(to)) return
  const { loss } = segment.quality
  if (loss > 0 && segment.random.chance(loss)) return
  to.receive(frame)
}

/** Whether a datagram from one port reaches another now, by the same faults as a frame. */
export function sendDatagram(
  segment: Segment, from: Port, to: Port, deliverIt: () => void,
): void {
  if (!canSend(from)) return
  const { clock, random, quality } = segment
  segment.frames++
  const copies = quality.duplicate > 0 && random.chance(quality.duplicate) ? 2 : 1
  for (let i = 0; i < copies; i++) {
    const delayMs = quality.delayMs + random.next() * (quality.jitterMs + 5 * i)
    after(clock, delayMs, () => {
      if (to.side !== from.side || !canHear(to)) return
      if (quality.loss > 0 && random.chance(quality.loss)) return
      deliverIt()
    })
  }
}

/** A frame put on the wire by the fabric itself, towards one port. */
export function inject(segment: Segment, to: Port, frame: Uint8Array): void {
  after(segment.clock, segment.quality.delayMs, () => {
    if (canHear(to)) to.receive(frame)
  })
}

