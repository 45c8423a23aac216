/** Asks a running program for its status over HTTP. */
import type { Output } from '../config/option-values.ts'
import { type Fields, isFields } from '../config/fields.ts'
import { dumpYaml } from '../config/yaml.ts'
import { isTrouble } from '../finding.ts'

const timeoutMs = 5_000

/** What the first line of the text says where the input as it is now is not in force. */
export const refusedWords = 'CONFIGURATION REFUSED'

export interface StatusAnswer {
  readonly stdout: string
  readonly stderr: ''
  /** 1 = something is wrong there: see `isBadNews`. */
  readonly exitCode: 0 | 1
}

/** The status as text, JSON or YAML. Throws when nobody answers at `url`, or somebody else does. */
export async function askStatus(url: string, output: Output): Promise<StatusAnswer> {
  const document = parse(await ask(url, 'json'))
  if (!isFields(document) || document['program'] !== 'arpeggio') throw stranger(url)
  const exitCode = isBadNews(document) ? 1 : 0
  return { stdout: await format(url, document, output), stderr: '', exitCode }
}

async function format(url: string, document: Fields, output: Output): Promise<string> {
  if (output === 'json') return JSON.stringify(document, undefined, 2)
  if (output === 'yaml') return dumpYaml(document).trimEnd()
  const text = await ask(url, 'text')
  if (!text.startsWith('arpeggio ')) throw stranger(url)
  return text.trimEnd()
}

/** The input as it is now is not in force, or a finding is more than a note. */
function isBadNews({ config, findings, forwarding }: Fields): boolean {
  if (isFields(config) && config['ok'] === false) return true
  const lists = [findings, isFields(forwarding) ? forwarding['findings'] : undefined]
  return lists.some((list) => Array.isArray(list) && list.some((one: unknown) =>
    isFields(one) && isTrouble(one['reason'])))
}

async function ask(url: string, form: 'text' | 'json'): Promise<string> {
  const base = url.replace(/\/+$/, '').replace(/\/status$/, '')
  const answer = await fetch(`${base}/status?format=${form}`, { signal: AbortSignal.timeout(timeoutMs) })
    .then(async (response) => ({ status: response.status, text: await response.text() }))
    .catch((cause: unknown) => {
      throw new Error(`Cannot reach "${url}": is the program running there?`, { cause })
    })
  if (answer.status !== 200) throw new Error(`Cannot read status from "${url}": HTTP ${answer.status}`)
  return answer.text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function stranger(url: string): Error {
  return new Error(`Cannot read status from "${url}": what answers there is not Arpeggio; see --url`)
}
