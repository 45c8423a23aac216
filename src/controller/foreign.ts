/** Which addresses machines have that are none of ours, as the speakers tell. */
import { labelOfNode } from '../cluster/members.ts'
import { labelKeys } from '../config/names.ts'
import type { Sighting } from '../ipam/foreign.ts'
import type { LiveState } from '../kube/live.ts'
import { parseAddress } from '../net/address.ts'

/**
 * What speakers that run report, with the MAC that answers: what is silent since it goes with such an address
 * has none. Nothing while one of them has told nothing of itself yet, or is none of ours: the others do not
 * know its MAC then, and may take it for a stranger.
 */
export function readSightings(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): readonly Sighting[] {
  const labels = new Set([...speakers].map(labelOfNode))
  const running = [...states.values()].filter(({ labels: own, links }) =>
    links !== undefined && labels.has(own[labelKeys.stateNode] ?? ''))
  const known = new Set(running.map(({ labels: own }) => own[labelKeys.stateNode]))
  if (known.size < labels.size) return []
  return running.flatMap(({ silences }) => silences).flatMap(({ text, reason, mac }) => {
    const address = mac !== undefined && reason === 'inConflict' ? parseAddress(text) : undefined
    return mac === undefined || address === undefined ? [] : [{ address, mac }]
  })
}
