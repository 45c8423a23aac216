/** What `arpeggio convert` prints: text that reads back, or nothing at all and the reasons. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Problem } from '../config/model.ts'
import type { ConvertOptions } from '../config/options.ts'
import { readWorld } from '../config/read.ts'
import { runConvert } from './convert.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const run = (text: string, output: ConvertOptions['output'] = 'yaml', problems: readonly Problem[] = []) =>
  runConvert({ sources: [{ file: 'old.yaml', bytes: encode(text) }], problems }, {
    output, namespace: undefined, paths: ['old.yaml'],
  })
const legacy = 'address-pools:\n- name: lan\n  protocol: layer2\n  addresses:\n  - 192.0.2.0/28\n'

test('runConvert: a problem leaves standard output empty', () => {
  assert.equal(run(legacy.replace('layer2', 'l2')), {
    stdout: '', exitCode: 1,
    stderr: 'old.yaml:1 address-pools[0].protocol: BadValue: Unknown protocol "l2": write `layer2`',
  })
})

test('runConvert: so does a file that could not be read', () => {
  const problem: Problem = {
    file: 'b.yaml', document: 1, object: '', path: '', reason: 'Unreadable',
    message: 'Cannot read file: no such file or directory',
  }
  assert.equal(run(legacy, 'yaml', [problem]), {
    stdout: '', exitCode: 1,
    stderr: 'b.yaml:1: Unreadable: Cannot read file: no such file or directory',
  })
})

test('runConvert: nothing that could be read is told once', () => {
  const problem: Problem = {
    file: 'b.yaml', document: 1, object: '', path: '', reason: 'Unreadable', message: 'Cannot read file',
  }
  assert.equal(runConvert({ sources: [], problems: [problem] }, {
    output: 'yaml', namespace: undefined, paths: ['b.yaml'],
  }), { stdout: '', exitCode: 1, stderr: 'b.yaml:1: Unreadable: Cannot read file' })
})

test('runConvert: an empty folder is named', () => {
  assert.equal(runConvert({ sources: [], problems: [] }, {
    output: 'yaml', namespace: undefined, paths: ['old'],
  }), { stdout: '', exitCode: 1, stderr: 'old:1: NotAnObject: Found no legacy configuration: want a ' +
    'ConfigMap with the key `config`, or its text' })
})

test('runConvert: YAML under a line that says who made it', () => {
  const { stdout, stderr, exitCode } = run(legacy)
  assert.equal([stderr, exitCode], ['', 0])
  assert.equal(stdout.split('\n'), [
    '# Made by arpeggio convert from a legacy ConfigMap.',
    'apiVersion: metallb.io/v1beta1', 'kind: IPAddressPool', 'metadata:', '  name: lan',
    '  namespace: metallb-system', 'spec:', '  addresses:', '    - 192.0.2.0/28', '---',
    'apiVersion: metallb.io/v1beta1', 'kind: L2Advertisement', 'metadata:',
    '  name: l2advertisement1', '  namespace: metallb-system', 'spec:', '  ipAddressPools:',
    '    - lan',
  ])
})

test('runConvert: both forms of output pass check', () => {
  for (const output of ['yaml', 'json'] as const) {
    const { stdout } = run(legacy, output)
    const { problems, warnings, config } = readWorld([{ file: 'new', bytes: encode(stdout) }])
    assert.equal([problems, warnings], [[], []])
    assert.equal(config.pools.map(({ name }) => name), ['lan'])
  }
})

test('runConvert: warnings are printed and are no failure', () => {
  const { stderr, exitCode } = run(`${legacy}peers: []\n`)
  assert.is(exitCode, 0)
  assert.is(stderr, 'warning: old.yaml:1 peers: ForeignKind: `peers` is for BGP, which this program ' +
    'does not speak: it has no effect')
})

test('runConvert: a configuration without pools is a comment', () => {
  assert.equal(run('address-pools: []'), {
    stdout: '# Made by arpeggio convert from a legacy ConfigMap.', stderr: '', exitCode: 0,
  })
})

test.run()
