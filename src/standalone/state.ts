/** The state folder: who holds which address, and the last good input, across restarts. */
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Source } from '../config/model.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

export type Ledger = ReadonlyMap<string, readonly Address[]>

export interface State {
  readonly ledger: Ledger
  /** undefined = nothing good was ever read. */
  readonly lastGood: readonly Source[] | undefined
  /** Files that exist but are not ours or are broken; they are left alone until overwritten. */
  readonly findings: readonly string[]
}

const ledgerName = 'ledger.json'
const lastGoodName = 'last-good.json'
/** Raised when a field changes its meaning: an unknown version is not guessed at. */
const stateVersion = 1

/**
 * Reads the folder, creating it if needed. A missing file is empty state; a broken one is a
 * finding. Throws when the folder cannot be created or read.
 */
export async function readState(folder: string): Promise<State> {
  try {
    return await readFolder(folder)
  } catch (error) {
    const why = codeOf(error) === 'EACCES' ? 'permission denied' : describe(error)
    throw new Error(`Cannot use the state folder "${folder}": ${why}; see --state-dir`)
  }
}

async function readFolder(folder: string): Promise<State> {
  await makeFolder(folder)
  const findings: string[] = []
  const ledger = await readJson(join(folder, ledgerName), findings, parseLedger)
  const lastGood = await readJson(join(folder, lastGoodName), findings, parseSources)
  return { ledger: ledger ?? new Map(), lastGood, findings }
}

/**
 * Makes the folder. Recursion is used only where the parent is missing: on /proc, where nothing can
 * be made, Node's never ends.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    const hasParent = await stat(dirname(resolve(folder))).then(() => true, () => false)
    await mkdir(folder, { recursive: !hasParent, mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/**
 * Replaces the ledger. When it returns, the new one survives a crash of the machine; when it
 * throws or is interrupted, the old one is still whole.
 */
export async function writeLedger(folder: string, ledger: Ledger): Promise<void> {
  const services = Object.fromEntries(
    [...ledger].toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, addresses]) => [key, addresses.map(formatAddress)]),
  )
  await replaceFile(folder, ledgerName, JSON.stringify({ version: stateVersion, services }))
}

/** Replaces the last good input, with the same promise as `writeLedger`. */
export async function writeLastGood(folder: string, sources: readonly Source[]): Promise<void> {
  const files = sources.map(({ file, bytes }) => ({
    file, text: new TextDecoder().decode(bytes),
  }))
  await replaceFile(folder, lastGoodName, JSON.stringify({ version: stateVersion, files }))
}

/** Whether two ledgers say the same. */
export function sameLedger(a: Ledger, b: Ledger): boolean {
  if (a.size !== b.size) return false
  for (const [key, addresses] of a) {
    const others = b.get(key)
    if (others === undefined || others.length !== addresses.length) return false
    const isSame = addresses.every((address, i) =>
      others[i]?.bits === address.bits && others[i]?.family === address.family
    )
    if (!isSame) return false
  }
  return true
}

/** Replaces a file of the folder, with the same promise as `writeLedger`. */
export async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}`)
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(folder, name))
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** A JSON file of the folder; undefined where it is not there, or is not what `parse` takes. */
export async function readJson<T>(
  path: string, findings: string[], parse: (value: unknown) => T | undefined,
): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const parsed = parse(JSON.parse(text))
    if (parsed !== undefined) return parsed
  } catch {
    // Reported below like any other content that is not ours.
  }
  findings.push(`Cannot use "${path}": it is not a state file of version ${stateVersion}`)
  return undefined
}

function parseLedger(value: unknown): Ledger | undefined {
  const services = fieldOf(value, 'services')
  if (fieldOf(value, 'version') !== stateVersion || !isRecord(services)) return undefined
  const ledger = new Map<string, readonly Address[]>()
  for (const [key, texts] of Object.entries(services)) {
    if (!Array.isArray(texts)) return undefined
    const addresses = texts.map((text) => parseAddress(String(text)))
    if (addresses.includes(undefined)) return undefined
    ledger.set(key, addresses.filter((address) => address !== undefined))
  }
  return ledger
}

function parseSources(value: unknown): readonly Source[] | undefined {
  const files = fieldOf(value, 'files')
  if (fieldOf(value, 'version') !== stateVersion || !Array.isArray(files)) return undefined
  const sources: Source[] = []
  for (const entry of files) {
    const file = fieldOf(entry, 'file')
    const text = fieldOf(entry, 'text')
    if (typeof file !== 'string' || typeof text !== 'string') return undefined
    sources.push({ file, bytes: new TextEncoder().encode(text) })
  }
  return sources
}

function fieldOf(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
