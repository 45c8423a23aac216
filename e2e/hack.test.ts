/** Scripts of hack/ judge their arguments before they install anything, and know the names that there are. */
import { spawnSync } from 'node:child_process'
import {
  cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
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
  if (/^(bootstrap|kube-assets|gitops-tools|promtool|base-image|bundle|engine|as-root)$/.test(name)) {
    writeFileSync(join(clone, 'hack', name), `#!/bin/sh\nexit ${reached}\n`)
  }
}

/** The scripts as they are, where whatever installs, builds or downloads tells that it was reached. */
const whole = join(clone, 'whole')
cpSync(join(root, 'hack'), join(whole, 'hack'), { recursive: true })
for (const folder of ['src', 'e2e', 'deploy']) symlinkSync(join(root, folder), join(whole, folder))
const shims = join(clone, 'shims')
mkdirSync(shims)
for (const name of ['npm', 'node', 'go', 'docker', 'dockerd', 'apt-get', 'git']) {
  writeFileSync(join(shims, name), `#!/bin/sh\nexit ${reached}\n`, { mode: 0o755 })
}
const cache = join(clone, 'cache')

/** Exit code, and what is printed, of `hack/NAME ARGUMENT…` of a clone, called from another folder. */
function call(line: string, at = clone): { code: number | null; stdout: string; stderr: string } {
  const { ARPEGGIO_ENGINE: _, KUBEBUILDER_ASSETS: __, PATH = '', ...rest } = process.env
  const env = { ...rest, PATH: at === whole ? `${shims}:${PATH}` : PATH, XDG_CACHE_HOME: cache }
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${at}/hack/${line}`], {
    cwd: tmpdir(), env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { code: status, stdout, stderr }
}

/** All that people or other scripts call; hack/kind/runc-swap is called by dockerd, in place of runc. */
const scripts = ['*', 'kind/*'].flatMap((glob) => globSync(glob, { cwd: join(root, 'hack') }))
  .filter((name) => !/\.|^kube$|^kind$|^kind\/(node|netd|coredns|runc-swap)$/.test(name))
  .filter((name) => readFileSync(join(root, 'hack', name), 'utf8').startsWith('#!')).toSorted()
/** Everything that there is in the clone, and in the cache. */
const contents = (): readonly string[] => [whole, cache].flatMap((cwd) =>
  globSync('{*,hack/**,build/**,dist/**}', { cwd }).toSorted())
const before = contents()

test('the scripts are found', () => {
  assert.ok(['as-root', 'engine', 'kind/node-image', 'test'].every((name) => scripts.includes(name)))
  assert.ok(scripts.length >= 22, scripts.join())
})

for (const name of scripts) {
  for (const argument of ['--help', '-h']) {
    test(`hack/${name} ${argument} helps at once, and does nothing`, () => {
      const { code, stdout, stderr } = call(`${name} ${argument}`, whole)
      assert.equal([code, stderr], [0, ''])
      assert.is(stdout.split('\n')[0]?.split(/ --| \[| COMMAND/)[0], `Usage: hack/${name}`)
      assert.ok(stdout.trim().split('\n').length > 1, stdout)
      assert.not.match(stdout, /set -e|^#/m)
      assert.equal(contents(), before)
    })
  }
  test(`hack/${name} --nope is wrong usage, and does nothing`, () => {
    const { code, stdout, stderr } = call(`${name} --nope`, whole)
    assert.equal([code, stdout], [2, ''])
    assert.match(stderr, /^(Unknown|Unexpected) .*"--nope"/)
    assert.ok(stderr.endsWith(`; see hack/${name} --help\n`), stderr)
    assert.equal(contents(), before)
  })
}

test('help says what there is to choose from', () => {
  assert.match(call('fault -h').stdout, /^Names: link-cut kill /m)
  assert.match(call('sim -h').stdout, /^Usage: hack\/sim --seeds N [^`]*--mutate[^`]*\n$/)
})

test('what hack/as-root runs has options of its own', () => {
  const { code, stdout } = call('as-root echo --help --can', whole)
  // 1 = namespaces cannot be made here.
  assert.is(code === 1 ? '--help --can\n' : stdout, '--help --can\n')
})

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
  ['image nope', /^Unexpected "nope"/],
  ['image --platforms', /^--platforms wants linux\/amd64, linux\/arm64 or both with a comma, found ""/],
  ['image --platforms linux/arm64,darwin/arm64 -t x', /found "linux\/arm64,darwin\/arm64"/],
  ['crds --chek', /^Unknown option "--chek": want some of --check/],
  ['release --too x', /^Unexpected "--too"/],
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
  'demo', 'demo --exit', 'gitops', 'image', 'image --platforms linux/amd64,linux/arm64 -t x --push',
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
