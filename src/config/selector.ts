/** Kubernetes label selectors: parsing, validation, matching (apimachinery's LabelSelector). */
import { addProblem, type At, field, type Fields, isFields, keyed, readList, readText } from './fields.ts'
import type { Labels, Requirement, Selector } from './model.ts'
import {
  celSentence, checkLength, list, mapping, needed, quote, refine, type Shape, text, texts, word,
} from './shape.ts'

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

const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const prefixLimit = 253
// Texts, since CEL takes them as they are: RE2 and JavaScript agree on all that they use. A shorter
// pattern costs CEL less.
const keyPattern = String.raw`^(${dnsSubdomain.source.slice(1, -1)}/)?[^\W_]([-.\w]{0,61}[^\W_])?$`
const valuePattern = String.raw`^([^\W_]([-.\w]*[^\W_])?)?$`
const valueLimit = 63
const keyExpression = new RegExp(keyPattern)
const valueExpression = new RegExp(valuePattern)

/** Whether text is a DNS subdomain of at most 253 characters, as names of most objects must be. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= prefixLimit && dnsSubdomain.test(text)
}

/** Whether text is a label key: an optional DNS prefix and a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  return text.indexOf('/') <= prefixLimit && keyExpression.test(text)
}

/** Whether text is a label value: empty, or at most 63 characters that begin and end well. */
export function isLabelValue(text: string): boolean {
  return text.length <= valueLimit && valueExpression.test(text)
}

const noKey = (key: string): string => `"${key}" is not a label key`
const noValue = (value: string): string => `"${value}" is not a label value`
const isKey = (key: string): string =>
  `${key}.indexOf('/') <= ${prefixLimit} && ${key}.matches(r'${keyPattern}')`
const isValue = (value: string): string =>
  `size(${value}) <= ${valueLimit} && ${value}.matches(r'${valuePattern}')`

// Limits that CEL needs to bound its work; see shape.ts.
const most = { selectors: 128, labels: 16, expressions: 4, values: 80, text: 320 }

const keyShape = needed(refine(
  text({ description: 'A label key.', max: most.text }),
  [{ rule: isKey('self'), message: celSentence(noKey, 'self') }],
  (key, at) => {
    checkKey(key, at)
    return key
  },
), noKey(''), { reason: 'BadSelector' })

const valueShape = refine(
  text({ description: 'A label value.', max: 64 }),
  [{ rule: isValue('self'), message: celSentence(noValue, 'self') }],
  (value, at) => {
    checkValue(value, at)
    return value
  },
)

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const
const takesValues = `self.operator in ['In', 'NotIn']`
const hasValues = 'has(self.values) && size(self.values) > 0'
const needsValues = (operator: string): string => `${operator} wants at least one value`
const needsNone = (operator: string): string => `${operator} takes no values: remove them`

const requirementShape = refine(mapping<{
  key: string
  operator: Requirement['operator']
  values: readonly string[]
}>({
  key: keyShape,
  operator: word({ description: 'How it is compared.', of: operators, reason: 'BadSelector' }),
  values: refine(list(valueShape, {
    description: 'For In and NotIn.', max: most.values, isSet: true,
  }), [], (values, at) => {
    const twice = values.find((one, i) => values.indexOf(one) !== i)
    if (twice !== undefined) {
      addProblem(at, 'DuplicateEntry', `"${twice}" stands twice in the list: keep one`)
    }
    return values.toSorted()
  }),
}, { description: 'What one label must be.' }), [
  {
    rule: `!has(self.operator) || !(${takesValues}) || (${hasValues})`,
    message: celSentence(needsValues, 'self.operator'), path: '.values',
  },
  {
    rule: `!has(self.operator) || !(self.operator in ['Exists', 'DoesNotExist']) || !(${hasValues})`,
    message: celSentence(needsNone, 'self.operator'), path: '.values',
  },
], ({ key = '', operator, values = [] }, at): Requirement | undefined => {
  if (operator === undefined) return undefined
  const isListed = operator === 'In' || operator === 'NotIn'
  if (isListed && values.length === 0) addProblem(field(at, 'values'), 'BadSelector', needsValues(operator))
  if (!isListed && values.length > 0) addProblem(field(at, 'values'), 'BadSelector', needsNone(operator))
  return { key, operator, values }
})

const labelsShape = refine(texts({
  description: 'Labels with exactly these values.', max: most.labels, maxValue: 64,
}), [
  {
    rule: `self.all(k, ${isKey('k')})`,
    message: celSentence(noKey, `self.filter(k, !(${isKey('k')}))[0]`),
  },
  {
    rule: `self.all(k, ${isValue('self[k]')})`,
    message: celSentence(noValue, `self[self.filter(k, !(${isValue('self[k]')}))[0]]`),
  },
], readMatchLabels)

const twiceExpression = (key: string): string => `The expression on "${key}" stands twice`

/** A Kubernetes LabelSelector. */
export const selectorShape = checked(mapping<{
  matchLabels: readonly Requirement[]
  matchExpressions: readonly Requirement[]
}>({
  matchLabels: labelsShape,
  matchExpressions: refine(list(requirementShape, {
    description: 'All of them must hold.', max: most.expressions,
  }), [{
    rule: 'self.all(x, self.exists_one(y, y == x))',
    message: celSentence(twiceExpression, 'self.map(x, !self.exists_one(y, y == x), x.key)[0]'),
  }], (expressions, at) => {
    const seen = new Set<string>()
    for (const expression of expressions) {
      const identity = describeSelector([expression])
      if (seen.has(identity)) addProblem(at, 'DuplicateEntry', twiceExpression(expression.key))
      seen.add(identity)
    }
    return expressions
  }),
}, { description: 'Which labels an object must have; {} matches every object.' }))

/** A selector with a problem anywhere in it selects nothing. */
function checked(
  shape: Shape<{ matchLabels?: readonly Requirement[]; matchExpressions?: readonly Requirement[] }>,
): Shape<Selector> {
  return {
    ...shape,
    read: (value, at) => {
      const before = at.findings.problems.length
      const found = shape.read(value, at)
      if (found === undefined || at.findings.problems.length > before) return undefined
      return [...found.matchLabels ?? [], ...found.matchExpressions ?? []]
    },
  }
}

const twiceSelector = 'The same selector stands twice in the list: keep one'

/**
 * Selectors of a list; equal ones are a DuplicateEntry problem, as in MetalLB, which compares how
 * they are written: one label as `matchLabels` and as an expression is no repetition.
 */
export function selectors(description: string): Shape<readonly Selector[]> {
  const shape = list(selectorShape, { description, max: most.selectors, rules: [
    { rule: 'self.all(x, self.exists_one(y, y == x))', message: quote(twiceSelector) },
  ] })
  return {
    ...shape,
    read: (value, at) => {
      checkLength(value, at, most.selectors)
      return readSelectors(value, at)
    },
  }
}

/** As `selectors` reads them. */
export function readSelectors(value: unknown, at: At): readonly Selector[] {
  const seen = new Set<string>()
  return readList(value, at, (each, place) => {
    const selector = readSelector(each, place)
    if (selector === undefined) return undefined
    const identity = describeWritten(each, selector)
    if (seen.has(identity)) {
      addProblem(place, 'DuplicateEntry', twiceSelector)
      return undefined
    }
    seen.add(identity)
    return selector
  })
}

/** One selector, or undefined with problems. Order of requirements does not matter. */
export function readSelector(value: unknown, at: At): Selector | undefined {
  return selectorShape.read(value, at)
}

function readMatchLabels(labels: Fields, at: At): readonly Requirement[] {
  const requirements: Requirement[] = []
  for (const [key, each] of Object.entries(labels)) {
    const text = readText(each, keyed(at, key))
    checkKey(key, keyed(at, key))
    if (text === undefined) continue
    checkValue(text, keyed(at, key))
    requirements.push({ key, operator: 'In', values: [text] })
  }
  return requirements
}

function checkKey(key: string, at: At): void {
  if (!isLabelKey(key)) addProblem(at, 'BadSelector', noKey(key))
}

function checkValue(value: string, at: At): void {
  if (!isLabelValue(value)) addProblem(at, 'BadSelector', noValue(value))
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
