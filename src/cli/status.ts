/** Asks a running program for its status over HTTP. */
import type { Output } from '../config/option-values.ts'
import { type Fields, isFields } from '../config/fields.ts'
import { dumpYaml } from '../config/yaml.ts'

const timeoutMs = 5_000

/** What the first line of the text says where the input as it is now is not in force. */
export const refusedWords = 'CONFIGURATION REFUSED'

export interface StatusAnswer {
  readonly stdout: string
  readonly stderr: ''
  /** 1 = the configuration is refused. */
  readonly exitCode: 0 | 1
}

/** The status as text, JSON or YAML. Throws when nobody answers at `url`, or somebody else does. */
export async function askStatus(url: string, output: Output): Promise<StatusAnswer> {
  const format = output === 'table' ? 'text' : 'json'
  const { status, text } = await ask(url, `/status?format=${format}`)
  if (status !== 200) throw new Error(`Cannot read status from "${url}": HTTP ${status}`)
  if (output === 'table') {
    if (!text.startsWith('arpeggio ')) throw stranger(url)
    const [first = ''] = text.split('\n', 1)
    return answer(text.trimEnd(), first.includes(`, ${refusedWords}: `))
  }
  const document = parse(text)
  if (!isFields(document) || document['program'] !== 'arpeggio') throw stranger(url)
  const stdout = output === 'yaml' ? dumpYaml(document).trimEnd() : JSON.stringify(document, undefined, 2)
  return answer(stdout, isRefused(document))
}

function answer(stdout: string, isBad: boolean): StatusAnswer {
  return { stdout, stderr: '', exitCode: isBad ? 1 : 0 }
}

/** Not in force, and for a reason: one that was not read yet has none. */
function isRefused({ config }: Fields): boolean {
  return isFields(config) && config['ok'] === false &&
    Array.isArray(config['problems']) && config['problems'].length > 0
}

async function ask(url: string, path: string): Promise<{ status: number; text: string }> {
  const base = url.replace(/\/+$/, '').replace(/\/status$/, '')
  try {
    const response = await fetch(base + path, { signal: AbortSignal.timeout(timeoutMs) })
    return { status: response.status, text: await response.text() }
  } catch (cause) {
    throw new Error(`Cannot reach "${url}": is the program running there?`, { cause })
  }
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
