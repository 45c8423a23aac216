/** Reads files, folders and standard input into sources; what cannot be read becomes a problem. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem, ProblemReason, Source } from '../config/model.ts'
import { maxTextBytes } from '../config/yaml.ts'

export interface Input {
  readonly sources: readonly Source[]
  readonly problems: readonly Problem[]
}

const yamlName = /\.(ya?ml|json)$/i

/**
 * The texts behind `paths` in the order given; a folder stands for its `*.yaml`, `*.yml` and
 * `*.json`, sorted by name, hidden ones left out. `-` reads standard input once.
 */
export async function readInput(paths: readonly string[]): Promise<Input> {
  const sources: Source[] = []
  const problems: Problem[] = []
  for (const path of paths) {
    for (const file of await listFiles(path)) {
      const read = file === '-' ? await readStandardInput() : await readOne(file)
      if ('reason' in read) problems.push(read)
      else sources.push(read)
    }
  }
  return { sources, problems }
}

async function listFiles(path: string): Promise<readonly string[]> {
  if (path === '-') return [path]
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = await readdir(path)
    return names
      .filter((name) => yamlName.test(name) && !name.startsWith('.'))
      .toSorted()
      .map((name) => join(path, name))
  } catch {
    // readOne says why.
    return [path]
  }
}

async function readOne(file: string): Promise<Source | Problem> {
  try {
    const { size } = await stat(file)
    if (size > maxTextBytes) return tooLarge(file, size)
    return { file, bytes: await readFile(file) }
  } catch (error) {
    return problem(file, 'Unreadable', `Cannot read file: ${describeError(error)}`)
  }
}

async function readStandardInput(): Promise<Source | Problem> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    const part: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    bytes += part.length
    if (bytes > maxTextBytes) return tooLarge('-', bytes)
    chunks.push(part)
  }
  return { file: '-', bytes: Buffer.concat(chunks) }
}

function tooLarge(file: string, bytes: number): Problem {
  const message = `File has ${bytes} bytes: the limit is ${maxTextBytes}; split it`
  return problem(file, 'TooLarge', message)
}

function problem(file: string, reason: ProblemReason, message: string): Problem {
  return { file, document: 1, object: '', path: '', reason, message }
}

/** What the system said, without its stack; the usual codes in words. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'no such file or directory'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return error.message
}
