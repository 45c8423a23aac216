/** Addresses that ought to be in the ring: each is joined, and tried again until it is a member. */
import { isMemberAddress, openPushPull } from './exchange.ts'
import type { Endpoint } from './model.ts'
import { isSameEndpoint, type Peer, type Ring, setTimer } from './ring.ts'

/** How often the list is looked at. */
const lookMs = 1_000

/** Joins under way at a time; the others wait for the next look. */
const maxJoins = 16

/** Starts looking; once per ring. */
export function startPeers(ring: Ring): void {
  setTimer(ring, ring.nowMs + lookMs, { kind: 'peers' })
}

/** The whole list, replacing the last one; what is known of an address stays. */
export function setPeers(ring: Ring, endpoints: readonly Endpoint[]): void {
  ring.peers = endpoints.map((endpoint): Peer => {
    const known = ring.peers.find((peer) => isSameEndpoint(peer, endpoint))
    const { address, port } = endpoint
    return known ?? { address, port, failures: 0, nextMs: ring.nowMs, isTrying: false }
  })
  joinMissing(ring)
}

/** The regular look. */
export function lookForPeers(ring: Ring): void {
  joinMissing(ring)
  setTimer(ring, ring.nowMs + lookMs, { kind: 'peers' })
}

function joinMissing(ring: Ring): void {
  if (ring.leaving !== 'no') return
  let joins = ring.peers.filter(({ isTrying }) => isTrying).length
  for (const peer of ring.peers) {
    if (joins >= maxJoins) return
    if (peer.isTrying || peer.nextMs > ring.nowMs || isMemberAddress(ring, peer)) continue
    joins++
    peer.isTrying = true
    openPushPull(ring, peer, peer)
  }
}
