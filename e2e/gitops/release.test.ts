/** The files of a release: made twice they are the same, and Helm takes the package. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { run, runOk, startCapMs } from '../lab/command.ts'
import { findTools } from './tools.ts'

const root = join(import.meta.dirname, '../..')
const release = join(root, 'hack/release')
const image = 'registry.example/lan/arpeggio'
const options = { capMs: startCapMs }
const scratch = await mkdtemp(join(tmpdir(), 'arpeggio-release-'))
test.after(() => rm(scratch, { recursive: true }))

const tools = await findTools(['helm3', 'helm4'])
const check = testUnless('lack' in tools ? tools.lack : undefined, test)

test('a manifest, the chart and their checksums, the same each time', async () => {
  const [first = '', second = ''] = ['first', 'second'].map((name) => join(scratch, name))
  for (const folder of [first, second]) await runOk([release, '--image', image, '--to', folder], options)
  const names = await readdir(first)
  assert.equal(names.toSorted(), ['SHA256SUMS', 'arpeggio-0.1.0.tgz', 'arpeggio-0.1.0.yaml'])
  const [sums, again] = await Promise.all([first, second].map((folder) =>
    readFile(join(folder, 'SHA256SUMS'), 'utf8')))
  assert.is(again, sums)
  assert.is(await runOk(['sh', '-c', `cd ${first} && sha256sum -c SHA256SUMS`]),
    'arpeggio-0.1.0.tgz: OK\narpeggio-0.1.0.yaml: OK\n')
  const manifest = await readFile(join(first, 'arpeggio-0.1.0.yaml'), 'utf8')
  assert.equal(manifest.match(/image: .*/g), [`image: ${image}:0.1.0`, `image: ${image}:0.1.0`])
})

test('a folder is meant from where the command is typed', async () => {
  await runOk(['sh', '-c', `cd ${scratch} && ${release} --image lan.example:5000/a --to here`], options)
  assert.equal((await readdir(join(scratch, 'here'))).length, 3)
})

test('wrong words are told', async () => {
  for (const words of [['--imgae', 'a'], ['--image'], ['--image', 'A B'], ['--image', 'a:1'], ['--to', '']]) {
    assert.is((await run([release, ...words], options)).code, 2, words.join(' '))
  }
})

for (const name of ['helm3', 'helm4']) {
  check(`${name} takes the package as the folder`, async () => {
    const folder = join(scratch, name)
    await runOk([release, '--to', folder], options)
    const program = join('folder' in tools ? tools.folder : '', name)
    const [packed, plain] = await Promise.all(
      [join(folder, 'arpeggio-0.1.0.tgz'), join(root, 'deploy/chart')].map((chart) => runOk([
        'env', `HELM_CACHE_HOME=${scratch}`, `HELM_CONFIG_HOME=${scratch}`, `HELM_DATA_HOME=${scratch}`,
        program, 'template', 'any', chart, '--kube-version', 'v1.34.0', '--include-crds',
      ], options)),
    )
    assert.ok(packed?.includes('kind: DaemonSet'))
    assert.is(packed, plain)
  })
}

test.run()
