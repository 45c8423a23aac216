/** Asking for the status: of the program, of somebody else, of nobody. */
import { createServer } from 'node:http'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dumpYaml } from '../config/yaml.ts'
import { askStatus, refusedWords } from './status.ts'

interface Served {
  readonly it: string
  readonly code?: number
  readonly text: string
  readonly json: string
  /** What each form comes to, table, JSON, YAML: printed, or said. */
  readonly want: readonly string[]
  /** Exit code of each form; 0 if it is not there. */
  readonly codes?: readonly number[]
}

const stranger = 'Cannot read status from "URL": what answers there is not Arpeggio; see --url'
const strangers = [stranger, stranger, stranger]

/** Forwarding works, and there is this finding: told by the host, and by its forwarding. */
function told(reason: string, code: 0 | 1): Served {
  const findings = [{ reason, message: 'so it is' }]
  const [own, ofRules] = reason === 'forwardBlocked' ? [[], findings] : [findings, []]
  const document = {
    program: 'arpeggio', config: { ok: true }, forwarding: { findings: ofRules }, findings: own,
  }
  return {
    it: `the program, with ${reason}: ${code}`, codes: [code, code, code],
    text: 'arpeggio 0.1.0 standalone on a', json: JSON.stringify(document),
    want: ['arpeggio 0.1.0 standalone on a', JSON.stringify(document, undefined, 2),
      dumpYaml(document).trimEnd()],
  }
}

const cases: readonly Served[] = [
  { it: 'the program', text: 'arpeggio 0.1.0 standalone on a\n', json: '{"program":"arpeggio"}',
    want: ['arpeggio 0.1.0 standalone on a', '{\n  "program": "arpeggio"\n}', 'program: arpeggio'] },
  { it: 'the program, its configuration refused', codes: [1, 1, 1],
    text: `arpeggio 0.1.0 standalone on a, ${refusedWords}: 1 problem; none is in force`,
    json: '{"program":"arpeggio","config":{"ok":false,"problems":[{}]}}',
    want: [`arpeggio 0.1.0 standalone on a, CONFIGURATION REFUSED: 1 problem; none is in force`,
      JSON.stringify({ program: 'arpeggio', config: { ok: false, problems: [{}] } }, undefined, 2),
      'program: arpeggio\nconfig:\n  ok: false\n  problems:\n    - {}'] },
  ...['minority', 'inConflict', 'forwardBlocked', 'unheardOf'].map((reason): Served => told(reason, 1)),
  ...['notLeading', 'foreignHost', 'optionsDiffer', 'outsidePrefix', 'sendFailed']
    .map((reason): Served => told(reason, 0)),
  { it: 'the program before it has read anything', codes: [1, 1, 1],
    text: 'arpeggio 0.1.0 standalone on a, configuration not read yet\n, CONFIGURATION REFUSED: 1',
    json: '{"program":"arpeggio","config":{"ok":false,"problems":[]}}',
    want: ['arpeggio 0.1.0 standalone on a, configuration not read yet\n, CONFIGURATION REFUSED: 1',
      JSON.stringify({ program: 'arpeggio', config: { ok: false, problems: [] } }, undefined, 2),
      'program: arpeggio\nconfig:\n  ok: false\n  problems: []'] },
  { it: 'a web page', text: '<html></html>', json: '<html></html>', want: strangers },
  { it: 'another program with JSON', text: 'ok', json: '{"program":"other"}', want: strangers },
  { it: 'JSON that is no object', text: '', json: 'null', want: strangers },
  { it: 'a server without such a page', code: 404, text: 'arpeggio ', json: '{}',
    want: Array<string>(3).fill('Cannot read status from "URL": HTTP 404') },
]

for (const { it, code = 200, text, json, want, codes = [0, 0, 0] } of cases) {
  test(`askStatus: ${it}`, async () => {
    const server = createServer(({ url }, response) => {
      const isKnown = url?.startsWith('/status?format=') === true
      response.writeHead(isKnown ? code : 500).end(url?.endsWith('json') === true ? json : text)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const place = server.address()
    const url = `http://127.0.0.1:${typeof place === 'object' ? place?.port : ''}`
    try {
      const found = await Promise.all((['table', 'json', 'yaml'] as const).map((output) => said(url, output)))
      assert.equal(found.map(([one]) => one.replace(url, 'URL')), want)
      assert.equal(found.map(([, exitCode]) => exitCode), codes)
      assert.equal((await said(`${url}/status/`, 'table'))[0].replace(`${url}/status/`, 'URL'), want[0])
    } finally {
      server.closeAllConnections()
      server.close()
    }
    assert.is((await said(url, 'table'))[0], `Cannot reach "${url}": is the program running there?`)
  })
}

async function said(url: string, output: 'table' | 'json' | 'yaml'): Promise<readonly [string, number]> {
  try {
    const { stdout, exitCode } = await askStatus(url, output)
    return [stdout, exitCode]
  } catch (error) {
    return [error instanceof Error ? error.message : String(error), 0]
  }
}

test.run()
