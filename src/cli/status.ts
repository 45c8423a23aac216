/** Asks a running program for its status over HTTP. */
import type { Output } from '../config/option-values.ts'
import { dumpYaml } from '../config/yaml.ts'

const timeoutMs = 5_000

/** The status as text, JSON or YAML. Throws when nobody answers at `url`. */
export async function askStatus(url: string, output: Output): Promise<string> {
  const format = output === 'table' ? 'text' : 'json'
  const target = `${url.replace(/\/+$/, '')}/status?format=${format}`
  let response: Response
  try {
    response = await fetch(target, { signal: AbortSignal.timeout(timeoutMs) })
  } catch (cause) {
    throw new Error(`Cannot reach "${url}": is the program running there?`, { cause })
  }
  if (!response.ok) throw new Error(`Cannot read status from "${url}": HTTP ${response.status}`)
  if (output === 'table') return (await response.text()).trimEnd()
  const status: unknown = await response.json()
  return output === 'yaml' ? dumpYaml(status).trimEnd() : JSON.stringify(status, undefined, 2)
}
