/** Opens the ring of a speaker: from its options, its secret and the address it is reached at. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { MembershipChoice } from '../config/role-options.ts'
import { deriveKey, lanSettings, parseSettings, type Settings, wanSettings } from '../membership/settings.ts'
import type { Log } from '../log.ts'
import type { Address } from '../net/model.ts'
import { openRing, type Ring, type RingOptions } from '../ring.ts'

/** Where MetalLB's optional ConfigMap of membership settings is mounted. */
const settingsPath = '/etc/metallb/memberlist/config.json'
const secretFile = 'secretkey'
const defaultPort = 7946
const secretRetryMs = 1_000

export interface SpeakerRingOptions
  extends Pick<RingOptions, 'onMessages' | 'onChange' | 'onMember'> {
  readonly node: string
  readonly address: Address
  readonly choice: MembershipChoice | undefined
  readonly clock: Clock
  readonly log: Log
  readonly stopped: Promise<unknown>
}

/** Rejects where port or address are not to be had; waits for a secret that is named. */
export async function openSpeakerRing(options: SpeakerRingOptions): Promise<Ring | undefined> {
  const { choice, log, node, address, clock, onMessages, onChange, onMember } = options
  const secret = await readSecret(options)
  if (secret === 'stopped') return undefined
  if (secret === undefined) log.warn('memberlist is not encrypted: no secret key is given')
  const ring = await openRing({
    name: node, address, port: choice?.bindPort ?? defaultPort, settings: readSettings(options),
    key: secret === undefined ? undefined : deriveKey(secret), clock, onMessages, onChange, onMember,
  })
  log.info('memberlist started', { event: 'memberlist', node, encrypted: secret !== undefined })
  return ring
}

/** The kubelet mounts the secret when the controller has made it. */
async function readSecret(
  { choice, log, stopped }: SpeakerRingOptions,
): Promise<Uint8Array | undefined | 'stopped'> {
  if (choice?.secretKeyPath === undefined) return undefined
  const path = join(choice.secretKeyPath, secretFile)
  let isTold = false
  for (;;) {
    try {
      return Uint8Array.from(readFileSync(path))
    } catch (error) {
      if (!isTold) log.warn('waiting for the memberlist secret', { path, error: String(error) })
      isTold = true
    }
    const wait = new Promise<'late'>((resolve) => setTimeout(resolve, secretRetryMs, 'late'))
    if (await Promise.race([wait, stopped.then(() => 'stopped')]) === 'stopped') return 'stopped'
  }
}

function readSettings({ choice, log }: SpeakerRingOptions): Settings {
  const chosen = choice?.profile === 'wan' ? wanSettings : lanSettings
  let text
  try {
    text = readFileSync(settingsPath, 'utf8')
  } catch {
    return chosen // the file is optional
  }
  const { settings, problems, warnings } = parseSettings(text)
  const path = settingsPath
  for (const error of problems) log.error('memberlist configuration refused', { path, error })
  for (const error of warnings) log.warn('memberlist configuration warning', { path, error })
  return settings ?? chosen
}
