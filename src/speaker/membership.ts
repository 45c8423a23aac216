/** Opens the ring of a speaker: from its options, its secret and the address it is reached at. */
import { join } from 'node:path'
import { describeError } from '../cli/input.ts'
import type { Clock } from '../clock.ts'
import { nameFindings, otherSecret, sameName, secretFindings } from '../http/rows.ts'
import type { MembershipChoice } from '../config/role-options.ts'
import { lastAge } from '../l2/linux/age.ts'
import type { Log } from '../log.ts'
import {
  configPath, type MembershipFiles, readMembershipFiles,
} from '../membership/net/files.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { openRing, type Ring, type RingOptions } from '../ring.ts'

const secretRetryMs = 1_000

export interface SpeakerRingOptions
  extends Pick<RingOptions, 'onMessages' | 'onChange' | 'onMember'> {
  readonly node: string
  readonly address: Address
  readonly choice: MembershipChoice
  readonly clock: Clock
  readonly log: Log
  readonly stopped: Promise<unknown>
  /** Whether somebody is still to bring the secret that is named: it is waited for, else missed. */
  readonly isSecretAwaited: boolean
}

/**
 * Rejects where port or address are not to be had, or a secret that nobody is to bring. Waits for one that is
 * awaited; undefined = stopped.
 */
export async function openSpeakerRing(options: SpeakerRingOptions): Promise<Ring | undefined> {
  const { choice, log, node, address, clock, onMessages, onChange, onMember } = options
  const files = await readFiles(options)
  if (files === undefined) return undefined
  const { settings, key, problems, warnings } = files
  const path = configPath
  for (const error of problems) log.error('memberlist configuration refused', { path, error })
  for (const error of warnings) log.warn('memberlist configuration warning', { path, error })
  if (key === undefined) log.warn('memberlist is not encrypted: no secret key is given')
  const port = choice.bindPort
  const ring = await openRing({
    name: node, address, port, settings, key, clock, onMessages, onChange, onMember,
    ageOf: lastAge, onConflicts: createConflictNews(log),
    onUnreadable: (fresh) => tellUnreadable(log, fresh),
  })
  log.info('memberlist started', { event: 'memberlist', node, encrypted: key !== undefined })
  return ring
}

/** Each of them once, until it has ended: who sends, and how often, is not ours to say. */
function tellUnreadable(log: Log, fresh: readonly Address[]): void {
  if (fresh.length === 0) log.info('memberlist messages can be read again')
  for (const { message } of secretFindings(fresh)) {
    log.warn('memberlist messages cannot be read', {
      event: otherSecret, reason: otherSecret, from: fresh.map(formatAddress), error: message,
    })
  }
}

/** Each sentence once, and the end of all. */
function createConflictNews(log: Log): RingOptions['onConflicts'] {
  let told: readonly string[] = []
  return (conflicts) => {
    const messages = nameFindings(conflicts).map(({ message }) => message)
    for (const error of messages.filter((message) => !told.includes(message))) {
      log.warn('hosts have the same name', { event: sameName, reason: sameName, error })
    }
    if (told.length > 0 && messages.length === 0) log.info('each host has a name of its own again')
    told = messages
  }
}

/** In a cluster the kubelet mounts the secret when the controller has made it. */
async function readFiles(
  { choice, log, stopped, isSecretAwaited }: SpeakerRingOptions,
): Promise<MembershipFiles | undefined> {
  const { secretKeyPath, profile } = choice
  const source = { secretKeyPath, profile }
  if (!isSecretAwaited) return await readNow(source)
  for (let isTold = false;; isTold = true) {
    try {
      return await readMembershipFiles(source)
    } catch (error) {
      if (!isTold) log.warn('waiting for the memberlist secret', { error: describeError(error) })
    }
    const wait = new Promise<'late'>((resolve) => setTimeout(resolve, secretRetryMs, 'late'))
    if (await Promise.race([wait, stopped.then(() => 'stopped')]) === 'stopped') return undefined
  }
}

/** A secret that is named and is not there, or is empty, is none: plain text is not what was asked for. */
async function readNow(source: Parameters<typeof readMembershipFiles>[0]): Promise<MembershipFiles> {
  const { secretKeyPath } = source
  const fail = (why: string): never => {
    throw new Error(`Cannot use --ml-secret-key-path "${secretKeyPath}": ` +
      `"${join(secretKeyPath ?? '', 'secretkey')}": ${why}; it names a folder with the file "secretkey"`)
  }
  const files = await readMembershipFiles(source).catch((error: unknown) =>
    fail(describeError(error instanceof Error ? error.cause ?? error : error)))
  return secretKeyPath === undefined || files.key !== undefined ? files : fail('the file is empty')
}
