/** Scripts of hack/ judge their arguments before they install anything, and know the names that there are. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parts } from './bench/parts.ts'
import { crowd, exodus } from './fault/crowd.ts'
import { faults } from './fault/faults.ts'

const root = join(import.meta.dirname, '..')
const clone = mkdtempSync(join(tmpdir(), 'arpeggio-hack-'))
test.after(() => rmSync(clone, { recursive: true }))
for (const folder of ['hack', 'src', 'e2e']) {
  cpSync(join(root, folder), join(clone, folder), { recursive: true })
}
// What installs or downloads tells that it was reached, and does no more.
const reached = 99
for (const name of readdirSync(join(clone, 'hack'))) {
  if (/^(bootstrap|kube-assets|gitops-tools|base-image|bundle|engine|as-root)$/.test(name)) {
    writeFileSync(join(clone, 'hack', name), `#!/bin/sh\nexit ${reached}\n`)
  }
}

/** Exit code, and what is printed, of `hack/NAME ARGUMENT…`, called from another folder. */
function call(line: string): { code: number | null; stdout: string; stderr: string } {
  const { ARPEGGIO_ENGINE: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${clone}/hack/${line}`], {
    cwd: tmpdir(), env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { code: status, stdout, stderr }
}

const helps: readonly (readonly [name: string, says: RegExp])[] = [
  ['fault', /^Usage: hack\/fault [^]*Names: link-cut kill /], ['bench', /^Usage: hack\/bench /],
  ['sim', /^Usage: hack\/sim --seeds N [^`]*--mutate[^`]*\n$/], ['test', /^Usage: hack\/test /],
  ['e2e', /^Usage: hack\/e2e /], ['demo', /^Usage: hack\/demo /], ['gitops', /^Usage: hack\/gitops\n/],
  ['image', /^Builds the image /],
]
for (const [name, says] of helps) {
  for (const argument of ['--help', '-h']) {
    test(`hack/${name} ${argument} helps at once`, () => {
      const { code, stdout, stderr } = call(`${name} ${argument}`)
      assert.equal([code, stderr], [0, ''])
      assert.match(stdout, says)
      assert.not.match(stdout, /set -e/)
    })
  }
}

const wrong: readonly (readonly [line: string, says: RegExp])[] = [
  ['fault nope', /^Unknown fault "nope": want some of link-cut /],
  ['fault kill --trails 3', /^Unknown fault "--trails"/],
  ['fault --trials', /^--trials wants a number/],
  ['fault --trials kill', /^--trials wants a number from 1 up, found "kill"/],
  ['fault --trials 0', /^--trials wants a number from 1 up, found "0"/],
  ['fault --trials 1.5', /found "1.5"/],
  ['fault --repeats -1', /^--repeats wants a number from 0 up, found "-1"/],
  ['bench nope', /^Unknown part "nope": want some of plan wire memory kube /],
  ['bench plan --trials', /^Unknown part "--trials"/],
  ['sim', /^Usage: hack\/sim /],
  ['sim --nodes 3..5', /^Usage: hack\/sim /],
  ['sim kill', /^Unknown option "kill"/],
  ['sim --seed', /^--seed wants a value/],
  ['sim --seeds 0', /^--seeds wants a number from 1 up, found "0"/],
  ['sim --seeds many', /^--seeds wants a number from 1 up, found "many"/],
  ['sim --seeds 5 --nodes 5..3', /^--nodes wants a number, or 3\.\.100, found "5\.\.3"/],
  ['sim --seeds 5 --nodes 0', /^--nodes wants .* found "0"/],
  ['sim --faults --trials x', /^--trials wants a number from 1 up, found "x"/],
  ['test src/nope', /^No suite's path has "src\/nope"/],
  ['test src/net nope', /^No suite's path has "nope"/],
  ['test flux-release', /^No suite's path has "flux-release"/],
  ['test --verbose', /^Unknown option "--verbose"/],
  ['e2e nope', /^No suite's path has "nope"/],
  ['e2e --kep', /^Unknown option "--kep"/],
  ['demo --stay', /^Unknown option "--stay"/],
  ['gitops flux', /^Unexpected "flux"/],
]
for (const [line, says] of wrong) {
  test(`hack/${line} is wrong usage, said at once`, () => {
    const { code, stdout, stderr } = call(line)
    assert.equal([code, stdout], [2, ''])
    assert.match(stderr, says)
    if (line.split(' ')[0] !== 'sim') assert.match(stderr, /; see hack\/\w+ --help\n$/)
  })
}

const right = [
  'fault', 'fault kill freeze-200 --trials 3 --repeats 0', 'bench', 'bench plan kube-10000-rest',
  'sim --seeds 5 --from 0 --nodes 3..5 --jobs 2', "sim --scenario 'hard kill' --seed 0 --verbose",
  'sim --seed 42 --nodes 7 --verbose', 'sim --faults --trials 2', 'sim --figures', 'sim --mutate --seeds 9',
  'test', 'test src/net e2e/lab', 'test tsc', 'test e2e/gitops/flux-release', 'e2e', 'e2e --keep failover',
  'demo', 'demo --exit', 'gitops', 'image',
]
for (const line of right) {
  test(`hack/${line} goes on to install`, () => {
    const { code, stderr } = call(line)
    assert.equal([code, stderr], [reached, ''])
  })
}

test('hack/fault knows the faults that there are, in their order', () => {
  const { stdout } = call('fault --help')
  const [, names = ''] = stdout.split('Names: ')
  assert.equal(names.trim().split(/\s+/), [...faults, crowd, exodus].map(({ name }) => name))
})

test('hack/bench knows the parts that there are', () => {
  const names = /want some of (.*);/.exec(call('bench nope').stderr)?.[1] ?? ''
  assert.equal(names.split(' ').toSorted(), Object.keys(parts).toSorted())
})

test.run()
