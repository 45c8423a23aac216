/** What can be done to a cluster, and undone: each deed is in the record, since checks judge by it. */
import type { Millis } from '../net/model.ts'
import {
  addUnit, boot, type Cluster, farewell, forget, machineOf, publishLegs, removeUnit, rewire, spreadApi,
} from './cluster.ts'
import { after } from './clock.ts'
import { giveBack, type Host, sayOnce, usurp } from './hosts.ts'
import { freeze, lift, type Machine, stop, thaw, touchLinks, touchWorld } from './machine.ts'
import { type Deed, tell } from './record.ts'
import type { Quality, Segment } from './segment.ts'

/** Puts a deed on record; its end is set by `undone`. */
export function note(
  cluster: Cluster, kind: string, nodes: readonly string[], untilMs: Millis = Infinity,
): Deed {
  const { nowMs } = cluster.clock
  const deed: Deed = { atMs: nowMs, kind, nodes, untilMs }
  cluster.record.deeds.push(deed)
  tell(cluster.record, nowMs, '!', [kind, ...nodes].join(' '))
  return deed
}

/** Undoes a fault, now. */
export type Undo = () => void

function fault(
  cluster: Cluster, kind: string, nodes: readonly string[], undo: () => void,
): Undo {
  const deed = note(cluster, kind, nodes)
  rewire(cluster)
  return () => {
    if (deed.untilMs !== Infinity) return
    deed.untilMs = cluster.clock.nowMs
    tell(cluster.record, cluster.clock.nowMs, '!', ['end of', kind, ...nodes].join(' '))
    undo()
    rewire(cluster)
  }
}

/** Power loss; undone by a boot. */
export function crash(cluster: Cluster, name: string): Undo {
  stop(machineOf(cluster, name), 'down')
  forget(cluster, name)
  return fault(cluster, 'crash', [name], () => boot(cluster, name))
}

/** SIGKILL of the process: its kernel goes on answering for the node's own addresses. */
export function kill(cluster: Cluster, name: string): Undo {
  stop(machineOf(cluster, name), 'killed')
  forget(cluster, name)
  return fault(cluster, 'kill', [name], () => boot(cluster, name))
}

/** SIGSTOP: the kernel's queues fill up. Undone by SIGCONT. */
export function freezeNode(cluster: Cluster, name: string): Undo {
  const machine = machineOf(cluster, name)
  freeze(machine, 'frozen')
  return fault(cluster, 'freeze', [name], () => thaw(machine))
}

/** A pause that the guest's clocks do not count. */
export function pauseNode(cluster: Cluster, name: string): Undo {
  const machine = machineOf(cluster, name)
  freeze(machine, 'paused')
  return fault(cluster, 'pause', [name], () => thaw(machine))
}

/** The process gets `runMs` of each `periodMs`. */
export function starve(cluster: Cluster, name: string, runMs: Millis, periodMs: Millis): Undo {
  const machine = machineOf(cluster, name)
  machine.quota = { fromMs: cluster.clock.nowMs, periodMs, runMs, isOver: false }
  return fault(cluster, 'starve', [name], () => lift(machine))
}

/** What is left at the end is let go so long before. */
const letGoMs: Millis = 50

/** Graceful end: the node hands over what it owns, says goodbye, and its process ends. */
export function drain(cluster: Cluster, name: string, goneAfterMs: Millis): Undo {
  const machine = machineOf(cluster, name)
  cluster.api.draining.add(name)
  touchWorld(machine)
  const deed = note(cluster, 'drain', [name])
  let isOver = false
  after(cluster.clock, goneAfterMs - letGoMs, () => {
    if (isOver || machine.state !== 'running') return
    cluster.api.leaving.add(name)
    touchWorld(machine)
  })
  after(cluster.clock, goneAfterMs, () => {
    if (isOver || machine.state !== 'running') return
    farewell(cluster, name)
    stop(machine, 'killed')
    rewire(cluster)
  })
  return () => {
    isOver = true
    deed.untilMs = cluster.clock.nowMs
    cluster.api.draining.delete(name)
    cluster.api.leaving.delete(name)
    if (machine.state === 'running') touchWorld(machine)
    else boot(cluster, name)
    rewire(cluster)
  }
}

/** Two parts of a segment do not hear each other; `names` are on the side without the gateway. */
export function split(cluster: Cluster, segment: Segment, names: readonly string[]): Undo {
  const ports = portsOf(cluster, segment, names)
  for (const port of ports) port.side = 1
  return fault(cluster, `split of ${segment.name}:`, names, () => {
    for (const port of ports) port.side = 0
  })
}

/** The switch port's other side is dead, and the node's card does not see it. */
export function loseUplink(cluster: Cluster, segment: Segment, name: string): Undo {
  const ports = portsOf(cluster, segment, [name])
  for (const port of ports) port.side = 100 + Number(name.slice(1))
  return fault(cluster, `uplink lost on ${segment.name}:`, [name], () => {
    for (const port of ports) port.side = 0
  })
}

export function deafen(cluster: Cluster, segment: Segment, name: string): Undo {
  const ports = portsOf(cluster, segment, [name])
  for (const port of ports) port.isReceiveDead = true
  return fault(cluster, `receive side dead on ${segment.name}:`, [name], () => {
    for (const port of ports) port.isReceiveDead = false
  })
}

export function muffle(cluster: Cluster, segment: Segment, name: string): Undo {
  const ports = portsOf(cluster, segment, [name])
  for (const port of ports) port.isSendDead = true
  return fault(cluster, `send side dead on ${segment.name}:`, [name], () => {
    for (const port of ports) port.isSendDead = false
  })
}

/** The cable is out: the node's kernel says so at once, its metadata soon. */
export function loseCarrier(cluster: Cluster, segment: Segment, name: string): Undo {
  const machine = machineOf(cluster, name)
  const set = (hasCarrier: boolean): void => {
    for (const port of portsOf(cluster, segment, [name])) port.hasCarrier = hasCarrier
    touchLinks(machine)
    publishLegs(cluster, machine)
  }
  set(false)
  return fault(cluster, `carrier lost on ${segment.name}:`, [name], () => {
    if (machine.state !== 'down') set(true)
  })
}

/** Gossip of `names` does not reach the others; nothing is wrong with the segments. */
export function cutGossip(cluster: Cluster, names: readonly string[]): Undo {
  names.forEach((name, i) => cluster.gossipSides.set(name, i + 1))
  return fault(cluster, 'gossip cut:', names, () => {
    for (const name of names) cluster.gossipSides.delete(name)
  })
}

export function setQuality(cluster: Cluster, segment: Segment, quality: Quality): Undo {
  const { worsened } = segment
  worsened.push(quality)
  segment.quality = quality
  const percent = Math.round(100 * quality.loss)
  return fault(cluster, `loss of ${percent} % on ${segment.name}`, [], () => {
    worsened.splice(worsened.indexOf(quality), 1)
    segment.quality = worsened.at(-1) ?? cluster.options.quality
  })
}

/** A foreign host takes the address of a unit, until it gives it back. */
export function takeAddress(cluster: Cluster, host: Host, unit: string, isSilent = false): Undo {
  const [first] = cluster.api.units.get(unit)?.addresses ?? []
  if (first === undefined) return () => undefined
  usurp(host, first.address, isSilent)
  const how = isSilent ? ' without a word' : ''
  return fault(cluster, `foreign host takes ${unit} on ${host.segment.name}${how}`, [], () =>
    giveBack(host, first.address))
}

/** One announcement by a host that does not have the address. */
export function strayAnnouncement(cluster: Cluster, host: Host, unit: string): void {
  const [first] = cluster.api.units.get(unit)?.addresses ?? []
  if (first === undefined) return
  note(cluster, `stray announcement of ${unit}`, [], cluster.clock.nowMs)
  sayOnce(host, first.address)
}

/** The API server is away: nothing that changes is seen. */
export function stopApi(cluster: Cluster): Undo {
  cluster.api.isDown = true
  return fault(cluster, 'API server down', [], () => void (cluster.api.isDown = false))
}

/** The exclude label. */
export function exclude(cluster: Cluster, name: string): Undo {
  cluster.api.excluded.add(name)
  spreadApi(cluster, () => undefined)
  const deed = note(cluster, 'exclude', [name])
  return () => {
    deed.untilMs = cluster.clock.nowMs
    cluster.api.excluded.delete(name)
    spreadApi(cluster, () => undefined)
  }
}

/** Somebody asks for a unit to be moved. */
export function move(cluster: Cluster, unit: string, to: string): void {
  cluster.api.moves.set(unit, to)
  note(cluster, `move of ${unit} to`, [to], cluster.clock.nowMs)
  spreadApi(cluster, () => undefined)
}

/** The unit is to be moved no more: nodes see it after a while, each of its own. */
export function endMove(cluster: Cluster, unit: string): void {
  cluster.api.moves.delete(unit)
  note(cluster, `no more move of ${unit}`, [], cluster.clock.nowMs)
  spreadApi(cluster, () => undefined)
}

/** Wall clocks jump; monotonic ones do not. Of the others only membership reads anything, as it starts. */
export function stepWallClock(cluster: Cluster, name: string, byMs: Millis): void {
  machineOf(cluster, name).wallOffsetMs += byMs
  note(cluster, `wall clock stepped by ${byMs} ms:`, [name], cluster.clock.nowMs)
}

export function appear(cluster: Cluster, from: number, count: number): void {
  note(cluster, `${count} new Services`, [], cluster.clock.nowMs)
  for (let i = from; i < from + count; i++) addUnit(cluster, i)
}

export function disappear(cluster: Cluster, unit: string): void {
  note(cluster, `Service of ${unit} deleted`, [], cluster.clock.nowMs)
  removeUnit(cluster, unit)
}

function portsOf(
  cluster: Cluster, segment: Segment, names: readonly string[],
): readonly Machine['legs'][number]['port'][] {
  return names.flatMap((name) => machineOf(cluster, name).legs)
    .filter((leg) => leg.segment === segment).map(({ port }) => port)
}
