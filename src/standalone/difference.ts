/** Whether hosts of the group were started with the same options, as this one hears: for status and log. */
import type { HostFinding } from '../finding.ts'
import { type Differing, differingNews } from '../group/differing.ts'
import type { GroupLedger } from '../group/model.ts'
import { compareOptions, textsOf, type VoiceOptions } from '../group/options.ts'
import type { Log } from '../log.ts'
import type { Group } from './group.ts'
import { optionFindings } from './view.ts'

export interface DifferenceParts {
  readonly node: string
  readonly options: VoiceOptions
  readonly group: Pick<Group, 'view'>
  readonly log: Log
}

/** Options that differ now. */
export function differencesOf(
  parts: DifferenceParts, ledger: GroupLedger | undefined,
): readonly HostFinding[] {
  return optionFindings(compareOptions(hostsOf(parts, ledger), ledger?.options))
}

/** Each difference once, and the end of all. */
export function tellOptions(
  parts: DifferenceParts, differing: Differing, ledger: GroupLedger | undefined,
): void {
  const { log } = parts
  const { differences, isOver } = differingNews(differing, hostsOf(parts, ledger), ledger?.options)
  for (const { reason, message } of optionFindings(differences)) {
    log.warn('options of hosts differ', { event: 'optionsDiffer', reason, error: message })
  }
  if (isOver) log.info('hosts have the same options again', { event: 'optionsAgree' })
}

function hostsOf(
  { node, options, group }: DifferenceParts, ledger: GroupLedger | undefined,
): Parameters<typeof compareOptions>[0] {
  const { present } = group.view()
  const others = ledger?.members.filter(({ name }) => name !== node) ?? []
  return [
    { name: node, options: textsOf(options), isHeard: true },
    ...others.map((each) => ({ ...each, isHeard: present.has(each.name) })),
  ]
}
