/** Opens the ring of a speaker: from its options, its secret and the address it is reached at. */
import { describeError } from '../cli/input.ts'
import type { Clock } from '../clock.ts'
import type { MembershipChoice } from '../config/role-options.ts'
import { lastAge } from '../l2/linux/age.ts'
import type { Log } from '../log.ts'
import {
  configPath, type MembershipFiles, readMembershipFiles,
} from '../membership/net/files.ts'
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
}

/** Rejects where port or address are not to be had. Waits for a secret that is named; undefined = stopped. */
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
    ageOf: lastAge,
  })
  log.info('memberlist started', { event: 'memberlist', node, encrypted: key !== undefined })
  return ring
}

/** The kubelet mounts the secret when the controller has made it. */
async function readFiles(
  { choice, log, stopped }: SpeakerRingOptions,
): Promise<MembershipFiles | undefined> {
  const source = { secretKeyPath: choice.secretKeyPath, profile: choice.profile }
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
