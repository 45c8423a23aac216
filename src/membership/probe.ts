/** The failure detector: whom to ask, through whom, and when an answer is overdue. */
import { openPing } from './exchange.ts'
import type { Endpoint } from './model.ts'
import { pickRandom, shuffle } from './random.ts'
import {
  addHealth, drop, isLive, isSameEndpoint, type Node, nextSeqNo, type Probe, type Ring,
  sendTogether, sendWithGossip, setTimer,
} from './ring.ts'
import { hearSuspect } from './rules.ts'
import type { IndirectPing, Message, Ping, Source } from './wire/message.ts'

/** Pings under way for others; more are refused. */
export const maxRelays = 1_024

/** Protocol versions from which a peer answers over TCP, and sends nacks. */
const streamPings = 3
const nacks = 4

/** One tick: begins a round, or remembers that one is due when the current one ends. */
export function probeTick(ring: Ring): void {
  setTimer(ring, ring.nowMs + ring.settings.probeIntervalMs, { kind: 'probe' })
  if (ring.probe === undefined) startProbe(ring)
  else ring.hasMissedProbe = true
}

function startProbe(ring: Ring): void {
  const node = nextTarget(ring)
  if (node === undefined) return
  const { name, address, port, incarnation, versions } = node
  const { probeIntervalMs, probeTimeoutMs } = ring.settings
  const endMs = ring.nowMs + probeIntervalMs * (ring.health + 1)
  const probe: Probe = {
    seqNo: nextSeqNo(ring), target: { name, address, port, incarnation, versions }, endMs,
    isDirect: true, isReachedByStream: false, expectedNacks: 0, nacks: 0,
  }
  ring.probe = probe
  const ping: Ping = { kind: 'ping', seqNo: probe.seqNo, name, ...sourceOf(ring) }
  if (node.state === 'alive') sendWithGossip(ring, { address, port }, ping)
  else sendTogether(ring, node, [ping, { kind: 'suspect', name, incarnation, from: ring.self.name }])
  setTimer(ring, Math.min(endMs, ring.nowMs + probeTimeoutMs), { kind: 'probeLate', probe })
  setTimer(ring, endMs, { kind: 'probeEnd', probe })
}

/** The next live node of the list; at its end the long dead are forgotten and it is shuffled. */
function nextTarget(ring: Ring): Node | undefined {
  const { nodes, self } = ring
  for (let looked = 0; looked <= nodes.length; looked++) {
    if (ring.probeIndex >= nodes.length) {
      forgetDead(ring)
      shuffle(ring.random, nodes)
      ring.probeIndex = 0
    }
    const node = nodes[ring.probeIndex]
    ring.probeIndex++
    if (node !== undefined && node !== self && isLive(node)) return node
  }
  return undefined
}

function forgetDead(ring: Ring): void {
  const { nodes, byName, self, nowMs } = ring
  const kept = nodes.filter((node) =>
    node === self || isLive(node) || nowMs - node.sinceMs <= ring.settings.gossipToTheDeadMs
  )
  if (kept.length === nodes.length) return
  const names = new Set(kept.map(({ name }) => name))
  for (const { name } of nodes) if (!names.has(name)) byName.delete(name)
  nodes.splice(0, nodes.length, ...kept)
}

function sourceOf({ self }: Ring): Source {
  return { sourceAddress: self.address, sourceName: self.name, sourcePort: self.port }
}

/** The direct answer is overdue: others ask for us, and we ask over TCP. */
export function probeLate(ring: Ring, probe: Probe): void {
  if (ring.probe !== probe || !probe.isDirect) return
  probe.isDirect = false
  const { target, seqNo } = probe
  const { indirectChecks, hasTcpPings } = ring.settings
  const others = ring.nodes.filter((node) =>
    node.state === 'alive' && node !== ring.self && node.name !== target.name
  )
  for (const peer of pickRandom(ring.random, others, indirectChecks)) {
    const wantsNack = (peer.versions[1] ?? 0) >= nacks
    if (wantsNack) probe.expectedNacks++
    sendWithGossip(ring, peer, {
      kind: 'indirectPing', seqNo, wantsNack, name: target.name, target: target.address,
      port: target.port, ...sourceOf(ring),
    })
  }
  if (hasTcpPings && (target.versions[1] ?? 0) >= streamPings) openPing(ring, probe)
}

/** The kernel refused to send: no need to wait for the answer. */
export function sendFailed(ring: Ring, to: Endpoint): void {
  drop(ring, 'sendFailed')
  const { probe } = ring
  if (probe !== undefined && isSameEndpoint(probe.target, to)) probeLate(ring, probe)
}

/** The round is over without an answer by datagram. */
export function probeEnd(ring: Ring, probe: Probe): void {
  if (ring.probe !== probe) return
  if (probe.isReachedByStream) return finish(ring, -1)
  const missing = probe.expectedNacks - probe.nacks
  const { name, incarnation } = probe.target
  hearSuspect(ring, { kind: 'suspect', name, incarnation, from: ring.self.name })
  finish(ring, probe.expectedNacks > 0 ? Math.max(0, missing) : 1)
}

/** A tick that came during a long round is made up for at once. */
function finish(ring: Ring, points: number): void {
  ring.probe = undefined
  addHealth(ring, points)
  if (!ring.hasMissedProbe) return
  ring.hasMissedProbe = false
  startProbe(ring)
}

/** An answer to our probe, or to a ping that we sent for somebody else; others are late or forged. */
export function hearAck(ring: Ring, seqNo: number): void {
  if (ring.probe?.seqNo === seqNo) return finish(ring, -1)
  const relay = ring.relays.get(seqNo)
  if (relay === undefined) return
  ring.relays.delete(seqNo)
  sendWithGossip(ring, relay.requester, { kind: 'ack', seqNo: relay.seqNo, payload: undefined })
}

export function hearNack(ring: Ring, seqNo: number): void {
  if (ring.probe?.seqNo === seqNo) ring.probe.nacks++
}

/** Answers a ping where the asker wants it; one for another name is not ours to answer. */
export function hearPing(ring: Ring, ping: Ping, from: Endpoint): void {
  if (ping.name !== '' && ping.name !== ring.self.name) return drop(ring, 'wrongName')
  const ack: Message = { kind: 'ack', seqNo: ping.seqNo, payload: undefined }
  sendWithGossip(ring, replyTo(ping, from), ack)
  contradict(ring, ping, from)
}

/**
 * Whoever asks us and is dead to us does not know: it is told at once, and refutes it. The library leaves
 * that to the next exchange of states, 30 s apart, where a split was too short for both sides to notice.
 */
function contradict(ring: Ring, ping: Ping, from: Endpoint): void {
  const node = ring.byName.get(ping.sourceName)
  if (node === undefined || node.state !== 'dead' || !isSameEndpoint(node, replyTo(ping, from))) return
  const { name, incarnation } = node
  sendTogether(ring, node, [{ kind: 'dead', name, incarnation, from: ring.self.name }])
}

function replyTo({ sourceAddress, sourcePort }: Source, from: Endpoint): Endpoint {
  if (sourceAddress === undefined || sourceAddress.length === 0 || sourcePort === 0) return from
  return { address: sourceAddress, port: sourcePort }
}

/** Asks the target in somebody else's place. */
export function hearIndirectPing(ring: Ring, asked: IndirectPing, from: Endpoint): void {
  if (ring.relays.size >= maxRelays) return drop(ring, 'tooManyRelays')
  const port = asked.port === 0 ? ring.options.endpoint.port : asked.port
  const seqNo = nextSeqNo(ring)
  const requester = replyTo(asked, from)
  ring.relays.set(seqNo, { requester, seqNo: asked.seqNo, wantsNack: asked.wantsNack })
  setTimer(ring, ring.nowMs + ring.settings.probeTimeoutMs, { kind: 'relayEnd', seqNo })
  sendWithGossip(ring, { address: asked.target, port }, {
    kind: 'ping', seqNo, name: asked.name, ...sourceOf(ring),
  })
}

/** The target did not answer in time; the requester learns that at least we live. */
export function endRelay(ring: Ring, seqNo: number): void {
  const relay = ring.relays.get(seqNo)
  if (relay === undefined) return
  ring.relays.delete(seqNo)
  if (relay.wantsNack) sendWithGossip(ring, relay.requester, { kind: 'nack', seqNo: relay.seqNo })
}

