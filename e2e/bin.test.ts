/** The command `arpeggio`, as npm links or installs it: which Node.js runs which file, or why none. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'arpeggio-bin-'))
test.after(() => rmSync(scratch, { recursive: true }))

/** A Node.js that tells its version, or what it was to run. */
function writeNode(path: string, version: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo "${version} runs $*"\n`)
  chmodSync(path, 0o755)
}

interface Row {
  readonly it: string
  /** Folder of the package. */
  readonly at: string
  /** Version of the Node.js that the package's own modules have. */
  readonly own?: string
  /** Version of the one in PATH. */
  readonly found?: string
  readonly want: { readonly code: number; readonly stdout: string; readonly stderr: string }
}

const runs = (version: string, at: string, main: string) =>
  ({ code: 0, stdout: `${version} runs ${join(scratch, at, main)} check a b\n`, stderr: '' })
const refuses = (found: string) =>
  ({ code: 1, stdout: '', stderr: `arpeggio needs Node.js 24 or newer, found ${found}\n` })

const rows: readonly Row[] = [
  { it: 'a clone with its own Node.js', at: 'a', own: 'v24.1.0', found: 'v20.1.0',
    want: runs('v24.1.0', 'a', 'src/main.ts') },
  { it: 'a clone without', at: 'b', found: 'v24.0.0', want: runs('v24.0.0', 'b', 'src/main.ts') },
  { it: 'a package', at: 'lib/node_modules/c', found: 'v26.3.1',
    want: runs('v26.3.1', 'lib/node_modules/c', 'build/arpeggio.js') },
  { it: 'a Node.js of later years', at: 'd', found: 'v30.0.0', want: runs('v30.0.0', 'd', 'src/main.ts') },
  { it: 'a Node.js that is too old', at: 'e', found: 'v20.20.2', want: refuses('v20.20.2') },
  { it: 'the last that is', at: 'f', found: 'v23.9.0', want: refuses('v23.9.0') },
  { it: 'no Node.js', at: 'g', want: refuses('none') },
]
for (const [i, { it, at, own, found, want }] of rows.entries()) {
  test(`arpeggio: ${it}`, () => {
    const place = join(scratch, at)
    const path = join(scratch, `path-${i}`)
    mkdirSync(path)
    mkdirSync(join(place, 'bin'), { recursive: true })
    cpSync(join(root, 'bin/arpeggio'), join(place, 'bin/arpeggio'))
    if (own !== undefined) writeNode(join(place, 'node_modules/.bin/node'), own)
    if (found !== undefined) writeNode(join(path, 'node'), found)
    for (const tool of ['readlink', 'dirname']) {
      const file = ['/usr/bin', '/bin'].map((folder) => join(folder, tool)).find(existsSync)
      symlinkSync(file ?? '', join(path, tool))
    }
    // As npm does it.
    symlinkSync(join(place, 'bin/arpeggio'), join(path, 'arpeggio'))
    const { status, stdout, stderr } = spawnSync(join(path, 'arpeggio'), ['check', 'a', 'b'], {
      env: { PATH: path }, encoding: 'utf8',
    })
    assert.equal({ code: status, stdout, stderr }, want)
  })
}

test('package.json names it, and the lock file says the same', () => {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'))
  assert.equal(read('package.json').bin, { arpeggio: 'bin/arpeggio' })
  assert.equal(read('package-lock.json').packages[''].bin, { arpeggio: 'bin/arpeggio' })
})

test('it runs the program', () => {
  const { status, stdout } = spawnSync(join(root, 'bin/arpeggio'), ['version'], { encoding: 'utf8' })
  assert.equal([status, stdout.split(' ')[0]], [0, 'arpeggio'])
})

test.run()
