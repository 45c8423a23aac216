/** What membership reads from the disk: the shared secret, and MetalLB's optional configuration. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deriveKey, lanSettings, parseSettings, type Settings, wanSettings } from '../settings.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Where MetalLB mounts the ConfigMap `metallb-memberlist-config`. */
export const configPath = '/etc/metallb/memberlist/config.json'

export interface MembershipFiles {
  /** The file's, where it can be used; else the profile's. */
  readonly settings: Settings
  /** undefined = plain text. */
  readonly key: Bytes | undefined
  /** Sentences for the log: what is wrong with the file, and what is odd. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * Reads both. Rejects where a secret is named and cannot be read: speaking plain text instead would
 * split the ring. A bad configuration file is a problem, and the profile stays in force.
 */
export async function readMembershipFiles(choice: {
  readonly secretKeyPath: string | undefined
  readonly profile: 'lan' | 'wan'
  readonly configPath?: string
}): Promise<MembershipFiles> {
  const { secretKeyPath, profile, configPath: path = configPath } = choice
  const key = secretKeyPath === undefined ? undefined : await readKey(join(secretKeyPath, 'secretkey'))
  const preset = profile === 'wan' ? wanSettings : lanSettings
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return { settings: preset, key, problems: [], warnings: [] }
  const { settings = preset, problems, warnings } = parseSettings(text)
  return { settings, key, problems, warnings }
}

async function readKey(path: string): Promise<Bytes | undefined> {
  try {
    return deriveKey(await readFile(path))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`Cannot read the secret of membership "${path}": ${why}`, { cause })
  }
}
