/** Why a Service is announced by nobody, in words: one table for log, events, conditions, metrics. */
import { listSome } from '../config/words.ts'
import type { Refusal } from '../ipam/model.ts'
import type { Mac, Silence } from '../l2/model.ts'

/** Each reason as the rest of a sentence that begins with a node, or with "no node announces it". */
export const silenceTexts: Readonly<Record<Silence, string>> = {
  noL2Advertisement: 'no L2Advertisement selects its pool',
  noServiceMatch: 'the serviceSelectors of every L2Advertisement of its pool leave the Service out',
  sharedIPWithServiceSelector:
    'a shared address cannot be advertised by an L2Advertisement with serviceSelectors',
  noNodeMatch: 'the nodeSelectors of every L2Advertisement of its pool match no node',
  nodeNotSelected: 'the nodeSelectors of the L2Advertisements leave the node out',
  noEndpoints: 'no endpoint of the Service can serve',
  noLocalEndpoints: 'externalTrafficPolicy is Local and no endpoint of this node can serve',
  nodeExcluded: 'the label node.kubernetes.io/exclude-from-external-load-balancers excludes it',
  networkUnavailable: 'its condition NetworkUnavailable is True',
  interfaceMissing: 'it has none of the interfaces of the L2Advertisement',
  interfaceDown: 'its interface is down or cannot resolve neighbours',
  noCarrier: 'its interface has no carrier',
  socketFailed: 'no packet socket can be opened on its interface (is CAP_NET_RAW missing?)',
  noPrefix: 'none of its interfaces has a connected prefix that covers the address',
  unitElsewhere: 'another address of the Service keeps it on a node that cannot announce this one',
  speakerAbsent: 'no speaker runs on it, or it does not answer',
  configurationStale: 'its configuration is stale: the present one was refused',
  noNodes: 'no speaker is known',
  inConflict: 'a machine that is none of ours answers for the address, or for one that goes with it',
  ownerDeaf: 'it owns the address, and hears no other host',
  segmentUnheard: 'it may not claim the address, since nobody answers it',
  expired: 'it owns the address, and stood still or its beats reached nobody: it has to ask the wire first',
  contested: 'it owned the address, and another node has claimed it later',
  ownerAnswers: 'it may not claim the address: the owner sends no beats, and answers on the wire',
  memberAnswers: 'it may not claim the address: another member answers',
}

export interface Reason {
  readonly node: string | null
  readonly reason: Silence
  /** Of the machine that answers instead. */
  readonly mac?: Mac
  /** Name of the one where nobody is heard. */
  readonly interface?: string
}

/** Nodes named in one sentence; the rest is counted. */
const maxNamed = 8

/**
 * One sentence about one address: `192.0.2.1 is not announced: node "a": … (noCarrier); node "b": …`.
 * Nodes with the same reason are named together, those with the same MAC or interface.
 */
export function describeSilence(address: string, reasons: readonly Reason[]): string {
  const byText = new Map<string, string[]>()
  for (const reason of reasons) {
    const text = textOf(reason)
    const nodes = byText.get(text) ?? []
    if (reason.node !== null) nodes.push(`"${reason.node}"`)
    byText.set(text, nodes)
  }
  const parts = [...byText].map(([text, nodes]) => `${nameNodes(nodes)}${text}`)
  return `${address} is not announced: ${parts.join('; ')}`
}

function textOf({ reason, mac, interface: name }: Reason): string {
  const where = name === undefined ? '' : ` on ${name}`
  const who = mac === undefined ? '' : `: ${mac}`
  return `${silenceTexts[reason]}${where}${who} (${reason})`
}

function nameNodes(nodes: readonly string[]): string {
  if (nodes.length === 0) return ''
  return `${nodes.length === 1 ? 'node' : 'nodes'} ${listSome(nodes, maxNamed)}: `
}

/** What somebody decided, or what only follows from another reason: named last. */
const lesser: ReadonlySet<Silence> = new Set<Silence>(['nodeNotSelected', 'unitElsewhere'])

/**
 * The reason of most nodes that could announce, the first among equals: one word for all. A conflict comes
 * before all others: it ends when somebody ends it.
 */
export function mainReason(rows: readonly Reason[]): Silence | undefined {
  if (rows.some(({ reason }) => reason === 'inConflict')) return 'inConflict'
  const telling = rows.filter(({ reason }) => !lesser.has(reason))
  const counts = new Map<Silence, number>()
  for (const { reason } of telling.length > 0 ? telling : rows) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a)
  return most?.[0]
}

/** Reasons that another configuration, perhaps the refused one, would end. */
const configured: ReadonlySet<Silence | Refusal> = new Set<Silence | Refusal>([
  'noL2Advertisement', 'noServiceMatch', 'noNodeMatch', 'nodeNotSelected', 'interfaceMissing',
  'sharedIPWithServiceSelector', 'noPrefix',
  'noPool', 'noAutoPool', 'poolExhausted', 'unknownPool', 'poolNotForService', 'addressNotInPool',
  'addressesInTwoPools', 'addressNotInRequestedPool', 'addressExcluded', 'configurationStale',
])

/** Whether a refused configuration may be why: then the reason to show is that it was refused. */
export function isConfigured(reason: string): boolean {
  return [...configured].some((one) => one === reason)
}
