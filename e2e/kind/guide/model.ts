/** What a block of the public layer-2 guide is to the suite: its commands, and what must be seen. */

/** One command. Output is compared after it was read back in the guide's own names and addresses. */
export interface Step {
  /** As the guide has it, without its comments. */
  readonly command: string
  /** Each must match the output, standard output first, then standard error. */
  readonly want: readonly RegExp[]
  readonly never?: RegExp
  /** The command does not end by itself: `timeout` interrupts it after so many seconds. */
  readonly endlessS?: number
  /** It only looks: it is repeated until what must come has come. */
  readonly isPatient?: true
  /** Runs in the network of a node that is not the leader; else on the host. */
  readonly isOnNode?: true
  /** Starts with the block, and is compared in its place. */
  readonly isMeanwhile?: true
  /** A command of ours that happens while an endless one runs. */
  readonly meanwhile?: string
  /** Not in the guide: how the suite looks at what a manifest has done. */
  readonly isOurs?: true
}

/** A code block of the guide, in its order. */
export interface Block {
  readonly id: string
  /** Files of e2e/kube/guide that the block is, and the name that it is saved under. */
  readonly manifests?: readonly string[]
  readonly file?: string
  /** An alternative to what was before it: pools, advertisements and Services are taken away first. */
  readonly isFresh?: true
  readonly steps: readonly Step[]
}

/** What a command gave. */
export interface Outcome {
  readonly code: number
  readonly output: string
}

/** `timeout` says that it was needed. */
const timedOut = 124

/** What is wrong with an outcome; an empty list is a match. */
export function judge(step: Step, { code, output }: Outcome): readonly string[] {
  const wanted = step.endlessS === undefined ? [0] : [timedOut]
  return [
    ...(wanted.includes(code) ? [] : [`exit code ${code}, not ${wanted[0]}`]),
    ...step.want.filter((pattern) => !pattern.test(output)).map((pattern) => `nothing matches ${pattern}`),
    ...(step.never?.test(output) ? [`something matches ${step.never}`] : []),
  ]
}

/** A pair: how the guide writes it, and how it is here. */
export type Substitution = readonly [guide: string, here: string]

/** Text of the guide, for here. */
export function translate(text: string, substitutions: readonly Substitution[]): string {
  return substitutions.reduce((sum, [guide, here]) => sum.replaceAll(guide, here), text)
}

/** Text from here, as the guide would have it: whole names only, since one may begin another. */
export function readBack(text: string, substitutions: readonly Substitution[]): string {
  return substitutions.reduce((sum, [guide, here]) => {
    const whole = here.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    const end = here.endsWith('.') ? '' : String.raw`(?!\w)`
    return sum.replace(new RegExp(String.raw`(?<![\w.])` + whole + end, 'g'), guide)
  }, text)
}

/** Every `OLD` made `NEW`, by the rule `OLD=>NEW`: to see that a suite notices. Throws if there is none. */
export function alter(text: string, rule: string): string {
  const [old = '', wanted] = rule.split('=>')
  if (wanted === undefined || old === '') throw new Error(`Bad rule "${rule}": want OLD=>NEW`)
  const altered = text.replaceAll(old, wanted)
  if (altered === text) throw new Error(`"${rule}": nothing to alter`)
  return altered
}
