/** A MetalLB speaker: it elects by hash over the members it sees, and answers without asking anybody. */
import { rankByHash } from '../l2/placement.ts'
import { createNode, type Decide } from '../ownership/node.ts'
import type { Right, World } from '../ownership/model.ts'
import type { Brain } from './machine.ts'

export function createStranger(): Brain {
  const decide: Decide = (event) =>
    event.kind === 'world' ? [{ kind: 'rights', rights: electAlone(event.world) }] : []
  return createNode(decide)
}

function electAlone({ self, wishes, peers }: World): readonly Right[] {
  const legs = peers.find(({ name }) => name === self)?.legs ?? []
  const ifindexes = new Set(legs.map(({ ifindex }) => ifindex))
  return wishes.flatMap(({ key, addresses, nominees }): readonly Right[] => {
    const [winner] = rankByHash(nominees, key)
    if (winner?.node !== self) return []
    return addresses.map(({ address, text }) =>
      ({ unit: key, address, text, ifindexes, notAfterMs: Infinity }))
  })
}
