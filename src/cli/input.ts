/** Reads files, folders and standard input into sources; what cannot be read becomes a problem. */
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem, ProblemReason, Source } from '../config/model.ts'
import { maxTextBytes } from '../config/yaml.ts'

export interface Input {
  readonly sources: readonly Source[]
  readonly problems: readonly Problem[]
}

const yamlName = /\.(ya?ml|json)$/i

interface Place {
  readonly path: string
  /** Found in a folder: a pipe there would be waited for without end, so only files are read. */
  readonly isListed: boolean
}

/**
 * The texts behind `paths` in the order given; a folder stands for its `*.yaml`, `*.yml` and
 * `*.json`, sorted by name, hidden ones left out. `-` reads standard input once.
 */
export async function readInput(paths: readonly string[]): Promise<Input> {
  return unite(await readEach(paths))
}

/** The same; a path without any document is a problem of its own: another one was meant. */
export async function readFilled(paths: readonly string[]): Promise<Input> {
  const parts = await readEach(paths)
  return unite(parts.map((part, i) => {
    const problems = [...part.problems, ...findEmpty(part, paths[i] ?? '')]
    return { sources: part.sources, problems }
  }))
}

function unite(parts: readonly Input[]): Input {
  return {
    sources: parts.flatMap(({ sources }) => sources),
    problems: parts.flatMap(({ problems }) => problems),
  }
}

/** What is behind each of `paths`, in their order. */
async function readEach(paths: readonly string[]): Promise<readonly Input[]> {
  const parts: Input[] = []
  for (const path of paths) {
    const sources: Source[] = []
    const problems: Problem[] = []
    for (const place of await listFiles(path)) {
      const read = path === '-' ? await readStream('-', process.stdin) : await readOne(place)
      if ('reason' in read) problems.push(read)
      else sources.push(read)
    }
    parts.push({ sources, problems })
  }
  return parts
}

function findEmpty({ sources, problems }: Input, path: string): readonly Problem[] {
  if (problems.length > 0 || sources.some(hasDocument)) return []
  const [first] = sources
  if (first === undefined) return [problem(path, 'Empty', 'Folder has no file *.yaml, *.yml or *.json')]
  const what = path === '-' ? 'Standard input' : first.file === path ? 'File' : 'Folder'
  return [problem(path, 'Empty', `${what} has no YAML document`)]
}

/**
 * Any line besides comments, directives, the marks between documents, and null, which kubectl passes over
 * like an empty document. `$` is before a carriage return as well, so none is skipped: each begins a line,
 * and would be looked at from all before it.
 */
const content =
  /^(?!%|(?:(?:---|\.\.\.)(?![^ \t#\r\n]))?[ \t]*(?:#|$|(?:null|Null|NULL|~)(?:[ \t]+#|[ \t]*$)))/m

function hasDocument({ bytes }: Source): boolean {
  return content.test(new TextDecoder().decode(bytes))
}

async function listFiles(path: string): Promise<readonly Place[]> {
  const named = [{ path, isListed: false }]
  if (path === '-') return named
  try {
    if (!(await stat(path)).isDirectory()) return named
    const names = await readdir(path)
    return names
      .filter((name) => yamlName.test(name) && !name.startsWith('.'))
      .toSorted()
      .map((name) => ({ path: join(path, name), isListed: true }))
  } catch {
    // readOne says why.
    return named
  }
}

async function readOne({ path, isListed }: Place): Promise<Source | Problem> {
  try {
    const found = await stat(path)
    if (found.isFile()) {
      if (found.size > maxTextBytes) return tooLarge(path, `${found.size}`)
      return { file: path, bytes: await readFile(path) }
    }
    if (found.isDirectory() || !isListed) return await readStream(path, createReadStream(path))
    return problem(path, 'Unreadable', 'Cannot read file: it is no regular file')
  } catch (error) {
    return problem(path, 'Unreadable', `Cannot read file: ${describeError(error)}`)
  }
}

/** Reads to the end, or to the limit: a pipe or a device need not have an end. */
async function readStream(file: string, stream: AsyncIterable<unknown>): Promise<Source | Problem> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const part = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
    bytes += part.length
    if (bytes > maxTextBytes) return tooLarge(file, `more than ${maxTextBytes}`)
    chunks.push(part)
  }
  return { file, bytes: Buffer.concat(chunks) }
}

function tooLarge(file: string, bytes: string): Problem {
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
  if (code === 'ENOTDIR') return 'a part of the path is no folder'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return error.message
}
