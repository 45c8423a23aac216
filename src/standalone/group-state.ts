/** What a host of a group keeps across restarts: the group's ledger, and who announced what last. */
import { join } from 'node:path'
import { isFields } from '../config/fields.ts'
import { parseLedger } from '../group/codec.ts'
import type { GroupLedger } from '../group/model.ts'
import { readJson, replaceFile } from './state.ts'

export interface GroupState {
  /** undefined = this host was in no group yet. */
  readonly ledger: GroupLedger | undefined
  /** Last known owner by address. */
  readonly owners: ReadonlyMap<string, string>
  /** Files that are not ours or are broken. */
  readonly findings: readonly string[]
}

const ledgerName = 'group.json'
const ownersName = 'owners.json'

/** Reads both files of an existing folder; missing ones are empty state. */
export async function readGroupState(folder: string): Promise<GroupState> {
  const findings: string[] = []
  const ledger = await readJson(join(folder, ledgerName), findings, parseLedger)
  const owners = await readJson(join(folder, ownersName), findings, parseOwners)
  return { ledger, owners: owners ?? new Map(), findings }
}

/** When it settles, the ledger survives a crash of the machine. */
export function writeGroupLedger(folder: string, ledger: GroupLedger): Promise<void> {
  return replaceFile(folder, ledgerName, JSON.stringify(ledger))
}

export function writeOwners(folder: string, owners: ReadonlyMap<string, string>): Promise<void> {
  return replaceFile(folder, ownersName, JSON.stringify({ version: 1, owners: Object.fromEntries(owners) }))
}

function parseOwners(value: unknown): ReadonlyMap<string, string> | undefined {
  const owners = isFields(value) && value['version'] === 1 ? value['owners'] : undefined
  if (!isFields(owners)) return undefined
  return new Map(Object.entries(owners).flatMap(([text, node]) =>
    typeof node === 'string' ? [[text, node] as const] : []
  ))
}
