/** Whether the guide's expectations bite, without a cluster: good outputs match, altered ones do not. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blocks } from './blocks.ts'
import { alter, judge, type Step } from './model.ts'
import { type Recorded, recorded } from './recorded.ts'

const root = join(import.meta.dirname, '../../..')

function stepOf({ block, command }: Recorded): Step {
  const steps = blocks.find(({ id }) => id === block)?.steps.filter((step) => command.test(step.command))
  const [step, second] = steps ?? []
  if (step === undefined || second !== undefined) throw new Error(`Not one step "${block}" ${command}`)
  return step
}

for (const one of recorded) {
  const step = stepOf(one)
  const { block, command, output, words } = one
  const code = step.endlessS === undefined ? 0 : 124
  test(`${block}: ${command} matches what a good cluster gives`, () => {
    assert.equal(judge(step, { code, output }), [])
  })
  for (const word of words) {
    test(`${block}: ${command} notices another word for ${word}`, () => {
      assert.ok(output.includes(word))
      assert.ok(judge(step, { code, output: output.replaceAll(word, 'other') }).length > 0)
    })
  }
  test(`${block}: ${command} notices an empty output, and another exit code`, () => {
    assert.ok(judge(step, { code, output: '' }).length > 0)
    assert.ok(judge(step, { code: 1, output }).length > 0)
  })
}

test('what a block must not show is noticed', () => {
  const [controller] = recorded.filter(({ block, command }) =>
    block === 'stuck in Pending' && command.test('kubectl logs'))
  assert.ok(controller)
  const output = `${controller.output}${controller.output.replace('"info"', '"error"')}`
  assert.is(judge(stepOf(controller), { code: 0, output }).length, 1)
})

test('every command that shows words of the program has a recorded output', () => {
  const isOurWord = /^kubectl (?:logs|describe service)|^#!\/bin\/bash|\| grep memberlist$/
  const lacking = blocks.flatMap(({ id, steps }) => steps
    .filter(({ command }) => isOurWord.test(command))
    .filter((step) => !recorded.some((one) => one.block === id && stepOf(one) === step))
    .map(({ command }) => `${id}: ${command}`))
  assert.equal(lacking, [])
})

// So a word that is changed in the program is noticed here, before any cluster is made.
const sources = globSync('src/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'))
  .map((path) => readFileSync(join(root, path), 'utf8')).join('\n')
const said = recorded.flatMap(({ output }) => [
  ...[...output.matchAll(/"(?:msg|event)":"([^"]+)"/g)].map(([, word = '']) => word),
  ...[...output.matchAll(/^ +Normal +(\w+) .*?(metallb-\w+)/gm)].flatMap((found) => found.slice(1)),
])
for (const word of new Set(said)) {
  test(`the program says "${word}"`, () => assert.ok(sources.includes(`'${word}'`)))
}

const manifest = readFileSync(join(root, 'deploy/arpeggio.yaml'), 'utf8')

/** Whether a Pod's template in the manifest has each label of a selector. */
function selects(text: string, selector: string): boolean {
  const templates = text.split('\n  template:\n').slice(1).map((rest) => rest.split('\n    spec:\n')[0] ?? '')
  return templates.some((template) =>
    selector.split(',').every((label) => template.includes(`        ${label.replace('=', ': ')}\n`)))
}

const selectors = new Set(blocks.flatMap(({ steps }) => steps.flatMap(({ command }) =>
  [...command.matchAll(/(?:-l |--selector=)(\S+)/g)].map(([, selector = '']) => selector))))
for (const selector of selectors) {
  test(`the manifest has Pods labelled ${selector}; with another label it has none`, () => {
    assert.ok(selects(manifest, selector))
    const [label = ''] = selector.split(',').slice(-1)
    const line = label.replace('=', ': ')
    assert.not.ok(selects(alter(manifest, `${line}=>${line}-other`), selector))
  })
}

test('the guide\'s commands select by three labels', () => {
  assert.equal([...selectors].toSorted(), [
    'app=metallb', 'app=metallb,component=controller', 'app=metallb,component=speaker', 'component=speaker',
  ])
})

test('a rule that alters nothing, or is none, is a mistake', () => {
  assert.throws(() => alter(manifest, 'no such words=>other'), /nothing to alter/)
  assert.throws(() => alter(manifest, 'component'), /want OLD=>NEW/)
  assert.is(alter('a b a', 'a=>c'), 'c b c')
})

test.run()
