/**
 * Weaker bounds where not all is ours: MetalLB speakers are replaced when membership calls them dead, and so
 * is an owner in whose name a fabric answers. Of two answerers one of which is such a speaker nothing is
 * promised (`checkVoice`), and with it in the ring units go where its election says (`checkMoves`).
 */
import type { Millis } from '../net/model.ts'
import { darkBounds } from './bounds.ts'
import type { Cluster } from './cluster.ts'
import { deedsDuring, isHalf, isIncapacity } from './deeds.ts'
import { defendMs } from '../ownership/limits.ts'
import { isStranger } from './plan.ts'
import type { Place } from './record.ts'
import { servingAt } from './serving.ts'
import type { Gap } from './tenure.ts'

/** An owner that has heard such a speaker twice has defended itself, and does so once in 10 s (RFC 5227). */
const defenceMs = defendMs + 1_000

/** Zero where all is ours. */
export function sharedBound(cluster: Cluster, place: Place, gap: Gap): Millis {
  const { options } = cluster
  const isPeers = options.strangers > 0 && isTheirs(cluster, place, gap)
  if (!isPeers && !options.isSuppressing) return 0
  const { fromMs, toMs, last } = gap
  const deeds = deedsDuring(cluster, fromMs - 2_000, toMs)
    .filter(({ kind, nodes }) => isIncapacity(kind) && (last === undefined || nodes.includes(last)))
  // It lives, as far as membership knows, and is no owner on the segment.
  const isUnseen = (kind: string): boolean =>
    !options.isGossipCarried && (isHalf(kind) || kind.startsWith('split'))
  const endsMs = deeds.filter(({ kind }) => isUnseen(kind)).map(({ untilMs }) => untilMs - fromMs)
  const deadMs = deeds.length === 0 ? 0 : Math.max(0, ...endsMs) + darkBounds.gossipMs
  return isPeers ? Math.max(deadMs, defenceMs) : deadMs
}

/** Such a speaker answered about then, or nobody else could serve the unit next. */
function isTheirs(cluster: Cluster, place: Place, { fromMs, toMs, last }: Gap): boolean {
  const { options, record, machines } = cluster
  const isTheir = (node: string): boolean => isStranger(options, node)
  const heirs = servingAt(record, place.unit, fromMs, [...machines.keys()]).filter((node) => node !== last)
  return last === undefined || heirs.every(isTheir) ||
    place.tenures.some((tenure) =>
      isTheir(tenure.node) && tenure.toMs > fromMs - 2_000 && tenure.fromMs <= toMs)
}
