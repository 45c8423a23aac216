/** Values that stay the same values, as a speaker's do: what is not looked into again is tried too. */
import { isSameValue } from '../config/fields.ts'
import type { Peer, Wish } from '../ownership/model.ts'

/** What worlds were made of so far. */
export interface Kept {
  /** By all that they say. */
  readonly wishes: Map<string, Wish>
  /** By the node that sees them. */
  readonly peers: Map<string, readonly Peer[]>
}

export function sameWish({ wishes }: Kept, wish: Wish): Wish {
  const { key, addresses, nominees, hint } = wish
  const texts = addresses.map(({ text }) => text)
  const names = nominees.map(({ node, isEnding, interfaces }) => [node, isEnding, ...interfaces])
  const id = JSON.stringify([key, texts, names, hint])
  const known = wishes.get(id)
  if (known === undefined) wishes.set(id, wish)
  return known ?? wish
}

export function samePeers({ peers }: Kept, node: string, fresh: readonly Peer[]): readonly Peer[] {
  const known = peers.get(node)
  if (known !== undefined && isSameValue(known, fresh)) return known
  peers.set(node, fresh)
  return fresh
}
