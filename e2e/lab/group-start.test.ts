/** How hosts of a group start: with options that cannot work, too few of them, and not of one mind. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startCapMs } from './command.ts'
import { lan, openLab } from './lab.ts'
import { arpeggio } from './program.ts'

const lab = await openLab({ hosts: { a: { lan: lan(11) }, b: { lan: lan(12) }, c: { lan: lan(13) } } })
test.after(async () => void await lab[Symbol.asyncDispose]())
const join3 = ['--join', '192.168.1.11,192.168.1.12,192.168.1.13']
const input = join(lab.folder, 'input')
const keys = join(lab.folder, 'keys')
await mkdir(input)
await mkdir(keys)
await writeFile(join(keys, 'secretkey'), '')
const none = join(lab.folder, 'none')

const refused: readonly { it: string; argv: readonly string[]; code: number; want: string }[] = [
  { it: 'a secret that is not there', argv: [...join3, '--ml-secret-key-path', none], code: 1,
    want: `--ml-secret-key-path "${none}": "${join(none, 'secretkey')}": no such file` },
  { it: 'a secret that is empty', argv: [...join3, '--ml-secret-key-path', keys], code: 1,
    want: `--ml-secret-key-path "${keys}": "${join(keys, 'secretkey')}": the file is empty` },
  { it: 'no port to meet at', argv: [...join3, '--ml-bindport', '0'], code: 2,
    want: 'Bad value "0" of --ml-bindport' },
  { it: 'a name that no Node can have', argv: [...join3, '--node-name', 'Bad Name!'], code: 2,
    want: 'Bad value "Bad Name!" of --node-name' },
]
for (const { it, argv, code, want } of refused) {
  test(`${it}: the program ends, and says which option is wrong`, async () => {
    const state = ['--no-forward', '--state-dir', join(lab.folder, 'refused')]
    const ended = await lab.host('a').exec(
      [...arpeggio, 'standalone', ...state, ...argv, input], { capMs: startCapMs },
    )
    assert.is(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(want), ended.stderr)
  })
}

test.run()
