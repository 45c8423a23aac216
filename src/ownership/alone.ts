/** The world of ownership for a host that shares its addresses with nobody. */
import type { Announcement, LinkState } from '../l2/model.ts'
import type { World } from './model.ts'

/** Each announcement is a unit of its own that only this host may own: nothing is ever contested. */
export function aloneWorld(
  self: string, announcements: readonly Announcement[], links: readonly LinkState[],
): World {
  const legs = links.map(({ name, index, mac, addresses }) => ({
    name, ifindex: index, mac, addresses,
  }))
  return {
    self, placement: 'sticky', expected: [self], gateways: new Map(), isDraining: false,
    moves: new Map(),
    peers: [{ name: self, isAlive: true, isCapable: true, isRestarted: false, legs }],
    wishes: announcements.map(({ address, text, interfaces }) => ({
      key: text, addresses: [{ address, text }], hint: undefined,
      nominees: [{ node: self, score: 0, interfaces: new Map([[text, interfaces]]) }],
    })),
  }
}
