/** Which addresses machines have that are none of ours, as the speakers tell. */
import { readMembers, readSilences } from '../cluster/members.ts'
import type { Sighting } from '../ipam/foreign.ts'
import type { LiveState } from '../kube/live.ts'
import { decodeMember, toldMacs } from '../l2/facts.ts'
import { parseAddress } from '../net/address.ts'

/**
 * What speakers that run report, with the MAC that answers: what is silent since it goes with such an address
 * has none. Nothing while one of them has not told its MACs yet, or is none of ours: the others may take it
 * for a stranger, as they do with members where gossip does not reach them.
 */
export function readSightings(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): readonly Sighting[] {
  const silences = [...readSilences(speakers, states).values()].flat()
  if (silences.length === 0) return []
  if (readMembers(speakers, states).some((member) => toldMacs(member) === undefined)) return []
  // Also of one that is being replaced: it answers until another does.
  const own = new Set([...states.values()].flatMap(({ links }) => toldMacs(decodeMember('', links)) ?? []))
  return silences.flatMap(({ text, reason, mac }) => {
    const isForeign = mac !== undefined && reason === 'inConflict' && !own.has(mac)
    const address = isForeign ? parseAddress(text) : undefined
    return mac === undefined || address === undefined ? [] : [{ address, mac }]
  })
}
