/** What is read as input: files and folders of them, and nothing that never ends. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readFilled, readInput } from './input.ts'

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

const bare: { it: string; files: Readonly<Record<string, string>>; want: readonly string[] }[] = [
  { it: 'nothing', files: {}, want: ['Empty: Folder has no file *.yaml, *.yml or *.json'] },
  { it: 'other files', files: { 'a.txt': 'kind: x', '.b.yaml': 'kind: x' },
    want: ['Empty: Folder has no file *.yaml, *.yml or *.json'] },
  { it: 'empty files', files: { 'a.yaml': '', 'b.json': '\n \t\n' },
    want: ['Empty: Folder has no YAML document'] },
  { it: 'comments and marks',
    files: { 'a.yaml': '\ufeff%YAML 1.2\r\n---\r\n# kind: x\n  # y\n--- # z\n...\n' },
    want: ['Empty: Folder has no YAML document'] },
  { it: 'a million line ends', files: { 'a.yaml': '\r'.repeat(1_000_000) },
    want: ['Empty: Folder has no YAML document'] },
  { it: 'documents that are null', files: {
    'a.yaml': 'null\n', 'b.yaml': '~ # y\r\n---\nNull\n...\n---\n  NULL  \n',
    'c.yaml': '--- null\n---  ~ # z\n',
  }, want: ['Empty: Folder has no YAML document'] },
  { it: 'a long line of blanks, and null', files: { 'a.yaml': `${' '.repeat(1_000_000)}null x` }, want: [] },
  { it: 'null beside a document', files: { 'a.yaml': 'null\n---\nkind: x\n' }, want: [] },
  ...['null#', '"null"', 'nullx', '~x', '- null', 'null: x', '---null'].map((text) =>
    ({ it: `the text ${text}`, files: { 'a.yaml': `${text}\n` }, want: [] })),
  { it: 'an empty file beside another', files: { 'a.yaml': '', 'b.yaml': '# x\nkind: x' }, want: [] },
  { it: 'a document after its mark', files: { 'a.yaml': '--- {kind: x}\n' }, want: [] },
  { it: 'text that is no document of ours', files: { 'a.yaml': '-' }, want: [] },
]
for (const [i, { it, files, want }] of bare.entries()) {
  test(`a folder that was named has ${it}: ${want.join() || 'fine'}`, async () => {
    const place = join(folder, `bare-${i}`)
    mkdirSync(place)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text)
    const { sources, problems } = await readFilled([place])
    assert.equal(problems.map((one) => `${one.reason}: ${one.message}`), want)
    assert.equal(problems.map(({ file }) => file), want.map(() => place))
    assert.equal((await readInput([place])).problems, [], 'a folder that is watched may fill later')
    assert.equal(sources.length, (await readInput([place])).sources.length)
  })
}

test('each path that was named must hold something', async () => {
  const hollow = join(folder, 'hollow.yaml')
  writeFileSync(hollow, '\n'.repeat(1_000_000))
  const { sources, problems } = await readFilled([join(folder, 'b.yaml'), hollow, join(folder, 'missing')])
  assert.equal(sources.map(({ file }) => file), [join(folder, 'b.yaml'), hollow])
  assert.equal(problems.map(({ file, reason, message }) => [file, reason, message]), [
    [hollow, 'Empty', 'File has no YAML document'],
    [join(folder, 'missing'), 'Unreadable', 'Cannot read file: no such file or directory'],
  ])
})

test.run()
