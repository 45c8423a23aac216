/** Decides which of several eligible nodes owns a unit: MetalLB's hash, or sticky and balanced. */
import { hash } from 'node:crypto'

/** `sticky` keeps owners and balances orphans; `hash` is MetalLB's stateless election. */
export type Placement = 'sticky' | 'hash'

export interface Candidate {
  readonly node: string
  /** Sum of the weights of matching preferences; higher wins. */
  readonly score: number
  /** What it serves with is about to end: others go first, but not in MetalLB's election. */
  readonly isEnding?: boolean
}

/**
 * Candidates in MetalLB's order for the address written `text`: score descending, then SHA-256
 * of `node#address` ascending as bytes. The first is the winner.
 * @see MetalLB 0.16: the service name is not part of the hash since 0.11
 */
export function rankByHash(candidates: readonly Candidate[], text: string): readonly Candidate[] {
  return candidates
    .map((candidate) => ({ candidate, hash: hashOf(candidate.node, text) }))
    .toSorted((a, b) =>
      b.candidate.score - a.candidate.score || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)
    )
    .map(({ candidate }) => candidate)
}

export interface PlacementInput {
  readonly placement: Placement
  readonly candidates: readonly Candidate[]
  /** First address of the unit's oldest Service, as Go prints it. */
  readonly text: string
  /** Who owns the unit now, if anybody. */
  readonly owner: string | undefined
  /** Addresses owned by each node so far in this plan. */
  readonly load: ReadonlyMap<string, number>
}

/**
 * The node that shall own the unit; undefined when there is no candidate. Sticky: among those that
 * are not ending, if there are any, the present owner while it is a candidate, else the highest
 * score, then the least load, then the hash.
 */
export function electOwner(input: PlacementInput): string | undefined {
  const { placement, text, owner, load } = input
  const lasting = placement === 'sticky' ? input.candidates.filter((c) => c.isEnding !== true) : []
  const candidates = lasting.length > 0 ? lasting : input.candidates
  if (placement === 'sticky' && candidates.some((c) => c.node === owner)) return owner
  if (candidates.length <= 1) return candidates[0]?.node
  const ranked = rankByHash(candidates, text)
  if (placement === 'hash') return ranked[0]?.node
  // toSorted is stable: the hash order decides among equals.
  const balanced = ranked.toSorted((a, b) =>
    b.score - a.score || (load.get(a.node) ?? 0) - (load.get(b.node) ?? 0)
  )
  return balanced[0]?.node
}

function hashOf(node: string, text: string): string {
  return hash('sha256', `${node}#${text}`)
}
