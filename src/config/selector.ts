/** Kubernetes label selectors: parsing, validation, matching (apimachinery's LabelSelector). */
import {
  addProblem, type At, checkKnown, field, isFields, keyed, readFields, readList, readText,
} from './fields.ts'
import type { Labels, Requirement, Selector } from './model.ts'

/** Whether the labels meet every requirement. `NotIn` and `DoesNotExist` hold for absent keys. */
export function matches(selector: Selector, labels: Labels): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
    }
    return false
  })
}

/** Whether any selector matches; no selectors at all match everything. */
export function matchesAny(selectors: readonly Selector[], labels: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => matches(selector, labels))
}

const labelName = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const nameLimit = 63
const prefixLimit = 253

/** Whether text is a DNS subdomain of at most 253 characters, as names of most objects must be. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= prefixLimit && dnsSubdomain.test(text)
}

/** Whether text is a label key: an optional DNS prefix and a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/')
  const prefix = slash === -1 ? undefined : text.slice(0, slash)
  const name = text.slice(slash + 1)
  if (prefix !== undefined && !isDnsSubdomain(prefix)) return false
  return name.length <= nameLimit && labelName.test(name)
}

/** Whether text is a label value: empty, or at most 63 characters that begin and end well. */
export function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= nameLimit && labelName.test(text))
}

/**
 * Selectors of a list; equal ones are a DuplicateEntry problem, as in MetalLB, which compares how
 * they are written: one label as `matchLabels` and as an expression is no repetition.
 */
export function readSelectors(value: unknown, at: At): readonly Selector[] {
  const seen = new Set<string>()
  return readList(value, at, (each, place) => {
    const selector = readSelector(each, place)
    if (selector === undefined) return undefined
    const identity = describeWritten(each, selector)
    if (seen.has(identity)) {
      addProblem(place, 'DuplicateEntry', 'The same selector stands twice in the list: keep one')
      return undefined
    }
    seen.add(identity)
    return selector
  })
}

/** One selector, or undefined with problems. Order of requirements does not matter. */
export function readSelector(value: unknown, at: At): Selector | undefined {
  const fields = readFields(value, at)
  if (fields === undefined) return undefined
  checkKnown(fields, ['matchLabels', 'matchExpressions'], at)
  const before = at.findings.problems.length
  const labels = readMatchLabels(fields['matchLabels'], field(at, 'matchLabels'))
  const place = field(at, 'matchExpressions')
  const expressions = readList(fields['matchExpressions'], place, readRequirement)
  const seen = new Set<string>()
  for (const expression of expressions) {
    const identity = describeSelector([expression])
    if (seen.has(identity)) {
      addProblem(place, 'DuplicateEntry', `The expression on "${expression.key}" stands twice`)
    }
    seen.add(identity)
  }
  return at.findings.problems.length > before ? undefined : [...labels, ...expressions]
}

function readMatchLabels(value: unknown, at: At): readonly Requirement[] {
  const requirements: Requirement[] = []
  for (const [key, each] of Object.entries(readFields(value, at) ?? {})) {
    const text = readText(each, keyed(at, key))
    checkKey(key, keyed(at, key))
    if (text === undefined) continue
    checkValue(text, keyed(at, key))
    requirements.push({ key, operator: 'In', values: [text] })
  }
  return requirements
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

function readRequirement(value: unknown, at: At): Requirement | undefined {
  if (!isFields(value)) {
    readFields(value, at)
    return undefined
  }
  checkKnown(value, ['key', 'operator', 'values'], at)
  const key = readText(value['key'], field(at, 'key')) ?? ''
  checkKey(key, field(at, 'key'))
  const wanted = readText(value['operator'], field(at, 'operator'))
  const operator = operators.find((one) => one === wanted)
  if (operator === undefined) {
    const message = `Want one of ${operators.join(', ')}, found "${wanted ?? ''}"`
    addProblem(field(at, 'operator'), 'BadSelector', message)
    return undefined
  }
  const values = readRequirementValues(value['values'], field(at, 'values'))
  const takesValues = operator === 'In' || operator === 'NotIn'
  if (takesValues && values.length === 0) {
    addProblem(field(at, 'values'), 'BadSelector', `${operator} wants at least one value`)
  }
  if (!takesValues && values.length > 0) {
    addProblem(field(at, 'values'), 'BadSelector', `${operator} takes no values: remove them`)
  }
  return { key, operator, values }
}

function readRequirementValues(value: unknown, at: At): readonly string[] {
  const values = readList(value, at, (each, place) => {
    const text = readText(each, place)
    if (text !== undefined) checkValue(text, place)
    return text
  })
  const twice = values.find((one, i) => values.indexOf(one) !== i)
  if (twice !== undefined) {
    addProblem(at, 'DuplicateEntry', `"${twice}" stands twice in the list: keep one`)
  }
  return values.toSorted()
}

function checkKey(key: string, at: At): void {
  if (!isLabelKey(key)) addProblem(at, 'BadSelector', `"${key}" is not a label key`)
}

function checkValue(value: string, at: At): void {
  if (!isLabelValue(value)) addProblem(at, 'BadSelector', `"${value}" is not a label value`)
}

function describeWritten(value: unknown, selector: Selector): string {
  const labels = isFields(value) ? value['matchLabels'] : undefined
  const count = isFields(labels) ? Object.keys(labels).length : 0
  return `${count} ${describeSelector(selector)}`
}

/** One text for all selectors that mean the same. */
function describeSelector(selector: Selector): string {
  const parts = selector.map(({ key, operator, values }) =>
    JSON.stringify([key, operator, [...values].toSorted()])
  )
  return parts.toSorted().join(' ')
}
