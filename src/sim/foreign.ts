/** A foreign host that has an owned address: from its first frame on nobody of ours answers beside it. */
import type { Millis } from '../net/model.ts'
import { missingAskers, patrolMs, wholeBurstMs } from '../ownership/limits.ts'
import { deedsDuring, hurtBy, lossNow } from './deeds.ts'
import type { Cluster } from './cluster.ts'
import type { Deed, Finding, Place } from './record.ts'

/** Its announcement is under way, and a loop takes its turn; on slow machines it may be in a long one. */
const firstFrameMs = { fast: 6, slow: 60 }
const deedKind = /^foreign host takes (\S+) on (\S+)( without a word)?$/

/** A foreign host's first frame silences whoever owns the address, and nobody claims what a host has. */
export function checkForeign(cluster: Cluster): readonly Finding[] {
  return cluster.record.deeds.flatMap((deed): readonly Finding[] => {
    const [, unit, segment, silent] = deedKind.exec(deed.kind) ?? []
    const place = cluster.record.places.get(`${unit} ${segment}`)
    const waitMs = silent === undefined ? 0 : turnMs(cluster)
    return place === undefined ? [] : besides(cluster, place, { ...deed, atMs: deed.atMs + waitMs })
  })
}

/**
 * Until its owner has asked for each of its addresses, all of them at most: of more than ten owners, each
 * asks more rarely. It does not ask within the first announcements of one that has just changed hands.
 */
function turnMs({ options, api, machines }: Cluster): Millis {
  const addresses = api.units.size * (options.isDual ? 3 : 1)
  return patrolMs * addresses * Math.max(1, machines.size / missingAskers) + wholeBurstMs
}

/** Answers beside the host, of nodes that heard it all the time. */
function besides(cluster: Cluster, place: Place, { atMs, untilMs }: Deed): readonly Finding[] {
  const endMs = Math.min(untilMs, cluster.clock.nowMs)
  if (lossNow(cluster, atMs, endMs) > 0) return []
  const heardMs = atMs + (cluster.options.costs === undefined ? firstFrameMs.fast : firstFrameMs.slow)
  const hurt = hurtBy(deedsDuring(cluster, atMs - 2_000, endMs))
  return place.tenures.flatMap(({ node, fromMs, toMs, side }): readonly Finding[] => {
    const ms = Math.min(toMs, endMs) - Math.max(fromMs, heardMs)
    if (side !== 0 || hurt.has(node) || ms <= 0) return []
    return [{
      check: 'voice', atMs: Math.max(fromMs, heardMs),
      text: `${node} answered for ${place.unit} on ${place.segment} beside a foreign host ` +
        `during ${ms.toFixed(1)} ms`,
    }]
  })
}
