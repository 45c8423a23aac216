/** Options that decide who announces what: on all hosts of a group the same, or the ledger's hold. */
import type { GroupMember, OptionTexts } from './model.ts'

/** What planning and placement ask for; the rest of a host's options concerns nobody else. */
export interface VoiceOptions {
  readonly namespace: string | undefined
  readonly loadBalancerClass: string
  readonly placement: 'sticky' | 'hash'
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
}

const placements = ['sticky', 'hash'] as const

/** By their names on the command line, sorted, so that equal options are equal JSON. */
export function textsOf(options: VoiceOptions): OptionTexts {
  const flag = (isGiven: boolean): string => isGiven ? 'true' : ''
  return {
    'announce-everywhere': flag(options.announceEverywhere),
    'ignore-exclude-lb': flag(options.ignoreExcludeLabel),
    'lb-class': options.loadBalancerClass,
    'namespace': options.namespace ?? '',
    'placement': options.placement,
  }
}

/** What `texts` say; an option that they lack, or a value that is not known here, stays the host's own. */
export function optionsOf(own: VoiceOptions, texts: OptionTexts = {}): VoiceOptions {
  const given = textsOf(own)
  const text = (name: string): string => texts[name] ?? given[name] ?? ''
  return {
    namespace: text('namespace') === '' ? undefined : text('namespace'),
    loadBalancerClass: text('lb-class'),
    placement: placements.find((one) => one === texts['placement']) ?? own.placement,
    announceEverywhere: text('announce-everywhere') === 'true',
    ignoreExcludeLabel: text('ignore-exclude-lb') === 'true',
  }
}

/**
 * An option takes the value on which all members agree, each as it was last heard: one that is cut off may
 * answer still. Where they differ it stays what it was. Before there was one, more than half must have told
 * theirs, and most of these decide, of as many the first by name. undefined = none is agreed on.
 */
export function agreeOnOptions(
  before: OptionTexts | undefined, members: readonly Pick<GroupMember, 'name' | 'options'>[],
): OptionTexts | undefined {
  const all = members.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(({ options = {} }) => options)
  const names = new Set([before ?? {}, ...all].flatMap((texts) => Object.keys(texts)))
  const agreed = [...names].toSorted().flatMap((name) => {
    const values = all.flatMap((texts) => texts[name] ?? [])
    const kept = before?.[name]
    if (kept === undefined && values.length * 2 <= members.length) return []
    const value = new Set(values).size === 1 ? values[0] : kept ?? mostOf(values)
    return value === undefined ? [] : [[name, value] as const]
  })
  return agreed.length === 0 ? undefined : Object.fromEntries(agreed)
}

/** The first of the most frequent. */
function mostOf(values: readonly string[]): string | undefined {
  const count = (value: string): number => values.filter((each) => each === value).length
  return values.toSorted((a, b) => count(b) - count(a))[0]
}

/** An option that a host has otherwise than it is in force. */
export interface Difference {
  readonly option: string
  /** Each value with the hosts that have it, sorted. */
  readonly values: readonly { readonly text: string; readonly hosts: readonly string[] }[]
  readonly inForce: string
}

/** Sorted by option; none before anything is in force. Of hosts that are not heard none is a difference. */
export function compareOptions(
  hosts: readonly (Pick<GroupMember, 'name' | 'options'> & { readonly isHeard: boolean })[],
  inForce: OptionTexts | undefined,
): readonly Difference[] {
  return Object.entries(inForce ?? {}).toSorted().flatMap(([option, agreed]) => {
    const told = hosts.flatMap(({ name, options, isHeard }) => {
      const text = options?.[option]
      return text === undefined ? [] : [{ text, isHeard, name: isHeard ? name : `${name} (not heard)` }]
    })
    if (!told.some(({ text, isHeard }) => isHeard && text !== agreed)) return []
    const byText = Map.groupBy(told, ({ text }) => text)
    const values = [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([text, list]) => ({ text, hosts: list.map(({ name }) => name).toSorted() }))
    return [{ option, values, inForce: agreed }]
  })
}

/** A sentence about one option, with every value and who has it. */
export function describeDifference({ option, values, inForce }: Difference): string {
  const say = (text: string): string => text === '' ? 'not given' : text === 'true' ? 'given' : `"${text}"`
  const list = values.map(({ text, hosts }) => `${say(text)} on ${hosts.join(', ')}`).join('; ')
  const agreed = `In force for all of them is ${say(inForce)}`
  // Not yet in the ledger, or too few hosts to put it there.
  if (values.length === 1) {
    return `--${option} is new on the hosts of this group: ${list}. ${agreed}, until more than half of ` +
      'them have agreed on the new one'
  }
  return `--${option} differs between the hosts of this group: ${list}. ${agreed}, until all have the ` +
    'same; start every host with the same options (one that is gone for good: --forget)'
}
