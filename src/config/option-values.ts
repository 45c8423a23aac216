/** Single values of command lines: right, or a sentence about what is wrong. */
import { isDnsSubdomain } from './selector.ts'

/** Forms in which commands print. */
export type Output = 'table' | 'json' | 'yaml'
export type LogLevel = 'all' | 'debug' | 'info' | 'warn' | 'error' | 'none'

/** Wrong usage. */
export interface Usage {
  readonly kind: 'usage'
  /** What is wrong and how to write it, for standard error. */
  readonly message: string
}

/** Options as they were given, by name. */
export type Values = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>

/** Wrong usage as a value. */
export function usage(message: string): Usage {
  return { kind: 'usage', message }
}

/** A port number up to 65535, from 0 where any free one will do. */
export function parsePort(name: string, text: string, least: 0 | 1 = 0): number | Usage {
  if (/^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= 65_535) return Number(text)
  return usage(`Bad value "${text}" of --${name}: want a port number from ${least} to 65535`)
}

/**
 * The name of a host or Node; '' = not given.
 * @see RFC 1123 §2.1, as Kubernetes has it for names of objects: a DNS subdomain
 */
export function parseNodeName(text: string): string | Usage {
  if (text === '' || isDnsSubdomain(text)) return text
  return usage(`Bad value "${text}" of --node-name: want the name of a Node, at most 253 ` +
    'characters: lower-case letters, digits, "-" and ".", each part between letters or digits (RFC 1123)')
}

/** An address to ask by HTTP; `http://` may be left out. */
export function parseUrl(name: string, text: string): string | Usage {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`
  if (/^https?:/i.test(url) && URL.canParse(url)) return url
  return usage(`Bad value "${text}" of --${name}: want http://HOST:PORT`)
}

/** `value` if it is one of the words of the option. */
export function choose<T extends string>(name: string, value: string, of: readonly T[]): T | Usage {
  const found = of.find((one) => one === value)
  return found ?? usage(`Bad value "${value}" of --${name}: want ${of.join(', ')}`)
}

/** Whether a value says that something is wrong. */
export function isUsage(value: unknown): value is Usage {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'usage'
}
