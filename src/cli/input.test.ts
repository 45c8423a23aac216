/** What is read as input: files and folders of them, and nothing that never ends. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readInput } from './input.ts'

const folder = mkdtempSync(join(tmpdir(), 'arpeggio-input-'))
test.after(() => rmSync(folder, { recursive: true }))

async function read(...paths: readonly string[]): Promise<readonly string[]> {
  const { sources, problems } = await readInput(paths)
  return [
    ...sources.map(({ file, bytes }) => `${file.replace(folder, '')} ${bytes.length}`),
    ...problems.map((one) => `${one.file.replace(folder, '')} ${one.reason}: ${one.message}`),
  ]
}

writeFileSync(join(folder, 'b.yaml'), 'b')
writeFileSync(join(folder, 'a.json'), '{}')
writeFileSync(join(folder, 'c.yml'), 'ccc')
writeFileSync(join(folder, 'notes.txt'), 'no')
writeFileSync(join(folder, '.hidden.yaml'), 'no')

test('a folder stands for its YAML and JSON files, sorted, hidden ones left out', async () => {
  assert.equal(await read(folder), ['/a.json 2', '/b.yaml 1', '/c.yml 3'])
})

test('what is no file is a problem in a folder, and nobody waits for it', async () => {
  const odd = join(folder, 'odd')
  mkdirSync(join(odd, 'folder.yaml'), { recursive: true })
  execFileSync('mkfifo', [join(odd, 'pipe.yaml')])
  symlinkSync('/dev/zero', join(odd, 'zero.yaml'))
  symlinkSync('nowhere', join(odd, 'link.yaml'))
  assert.equal(await read(odd), [
    '/odd/folder.yaml Unreadable: Cannot read file: it is a directory',
    '/odd/link.yaml Unreadable: Cannot read file: no such file or directory',
    '/odd/pipe.yaml Unreadable: Cannot read file: it is no regular file',
    '/odd/zero.yaml Unreadable: Cannot read file: it is no regular file',
  ])
})

test('a path that is named may be a pipe or a device, and is read up to the limit', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  spawn('sh', ['-c', 'printf "kind: x" > "$0"', pipe])
  assert.equal(await read(pipe), ['/pipe 7'])
  assert.equal(await read('/dev/null'), ['/dev/null 0'])
  const [found] = await read('/dev/zero')
  assert.match(found ?? '', /^\/dev\/zero TooLarge: .*the limit is 16777216; split it$/)
})

test.run()
