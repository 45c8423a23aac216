/** Argument lists and environment become a Command, or a sentence about wrong usage. */
import { parseArgs } from 'node:util'
import type { Labels } from './model.ts'
import { commands, helpText, specs, synopsis } from './option-specs.ts'
import {
  choose, isUsage, type LogLevel, type Output, parseNodeName, parsePort, parseUrl, type Usage, usage,
  type Values,
} from './option-values.ts'
import { buildGroup, findStray, type GroupOptions } from './group-options.ts'
import { buildRole, type RoleCommand } from './role-options.ts'

export interface FileOptions {
  readonly output: Output
  readonly namespace: string | undefined
  /** Files and folders; `-` is standard input. Never empty. */
  readonly paths: readonly string[]
}

/** Manifests have no form of a table. */
export interface ConvertOptions extends Omit<FileOptions, 'output'> {
  readonly output: 'yaml' | 'json'
}

export interface CheckOptions extends FileOptions {
  /** '' = Services without a class. */
  readonly loadBalancerClass: string
}

export interface PlanOptions extends CheckOptions {
  readonly placement: 'sticky' | 'hash'
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
}

export interface StandaloneOptions {
  readonly paths: readonly string[]
  readonly namespace: string | undefined
  readonly nodeName: string | undefined
  readonly nodeLabels: Labels
  readonly stateDir: string
  readonly httpHost: string | undefined
  /** 0 = any free port. */
  readonly httpPort: number
  readonly logLevel: LogLevel
  readonly placement: 'sticky' | 'hash'
  readonly loadBalancerClass: string
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
  readonly setSysctls: boolean
  readonly forward: boolean
  /** undefined = this host is alone. */
  readonly group: GroupOptions | undefined
}

export type Command =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'check'; readonly options: CheckOptions }
  | { readonly kind: 'plan'; readonly options: PlanOptions }
  | { readonly kind: 'convert'; readonly options: ConvertOptions }
  | { readonly kind: 'status'; readonly url: string; readonly output: Output }
  | { readonly kind: 'standalone'; readonly options: StandaloneOptions }
  | RoleCommand

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Parses what follows the program's name. Go's single-dash long options (`-http-port=7472`) are
 * accepted, as MetalLB's users type them. Files are not touched.
 */
export function parseCommand(argv: readonly string[], env: Environment): Command | Usage {
  const [first = 'help', ...rest] = argv
  const name = aliases[first] ?? first
  if (!Object.hasOwn(commands, name)) return unknownCommand(name)
  if (name === 'help') return buildHelp(rest)
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', text: helpText(name) }
  const parsed = parseOptions(name, rest, env)
  if ('kind' in parsed) return parsed
  return buildCommand(name, parsed.values, parsed.positionals)
}

/** Options in the place of a command. */
const aliases: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version' }

function unknownCommand(name: string): Usage {
  return usage(`Unknown command "${name}": want one of ${Object.keys(commands).join(', ')}`)
}

function buildHelp([name]: readonly string[]): Command | Usage {
  if (name === undefined || name.startsWith('-')) return { kind: 'help', text: helpText() }
  return Object.hasOwn(commands, name) ? { kind: 'help', text: helpText(name) } : unknownCommand(name)
}

function parseOptions(
  name: string, argv: readonly string[], env: Environment,
): Usage | { values: Values; positionals: readonly string[] } {
  const own = Object.entries(specs).filter(([, spec]) => spec.commands.includes(name))
  const options = Object.fromEntries(own.map(([key, spec]) => [key, {
    type: spec.type,
    ...(spec.short === undefined ? {} : { short: spec.short }),
    ...(spec.multiple === true ? { multiple: true } : {}),
  }]))
  try {
    const { values, positionals } = parseArgs({
      args: argv.flatMap((argument) => normalise(argument)), options, allowPositionals: true,
    })
    const fromEnv = own.flatMap(([key, spec]) => {
      const value = spec.env === undefined ? undefined : env[spec.env]
      return value === undefined || value === '' ? [] : [[key, value] as const]
    })
    const all = { ...Object.fromEntries(fromEnv), ...values }
    const isJoining = name !== 'standalone' || (all['join'] ?? '') !== ''
    return findStray(values, isJoining) ?? { values: all, positionals }
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('. ')[0] : String(error)
    return usage(`${reason}: see "arpeggio ${name} --help"`)
  }
}

/**
 * `-http-port=1` to `--http-port=1`; booleans lose `=true`, and what is `=false` goes, as Go's flags have it;
 * `-o=json`, as kubectl takes it, to `-ojson`.
 */
function normalise(argument: string): readonly string[] {
  const short = /^-([a-z])=(.+)$/.exec(argument)
  if (short !== null) return [`-${short[1]}${short[2]}`]
  const match = /^--?([a-z][a-z0-9-]+)(=.*)?$/.exec(argument)
  const name = match?.[1]
  if (name === undefined || specs[name] === undefined) return [argument]
  const value = match?.[2] ?? ''
  const isSwitch = specs[name].type === 'boolean'
  if (isSwitch && value === '=false') return []
  return [isSwitch && value === '=true' ? `--${name}` : `--${name}${value}`]
}

function buildCommand(
  name: string, values: Values, positionals: readonly string[],
): Command | Usage {
  const text = (key: string): string | undefined => {
    const value = values[key]
    return typeof value === 'string' ? value : undefined
  }
  if (name === 'controller' || name === 'speaker') return buildRole(name, values, positionals)
  if (name === 'version' || name === 'status') {
    const [first] = positionals
    if (first !== undefined) return usage(`Unexpected "${first}": ${name} takes options only`)
  } else if (positionals.length === 0) return usage(`Missing file or folder: ${synopsis(name)}`)
  if (name === 'version') return { kind: 'version' }
  const rest = { namespace: text('namespace'), paths: positionals }
  if (name === 'convert') {
    const form = choose('output', text('output') ?? 'yaml', ['yaml', 'json'] as const)
    return isUsage(form) ? form : { kind: name, options: { ...rest, output: form } }
  }
  const output = choose('output', text('output') ?? 'table', ['table', 'json', 'yaml'] as const)
  if (isUsage(output)) return output
  if (name === 'status') {
    const url = parseUrl('url', text('url') ?? 'http://127.0.0.1:7472')
    return isUsage(url) ? url : { kind: 'status', url, output }
  }
  const files = { ...rest, output }
  const loadBalancerClass = text('lb-class') ?? ''
  if (name === 'check') return { kind: name, options: { ...files, loadBalancerClass } }
  const placement = choose('placement', text('placement') ?? 'sticky', ['sticky', 'hash'] as const)
  if (isUsage(placement)) return placement
  const shared = {
    placement,
    loadBalancerClass,
    announceEverywhere: values['announce-everywhere'] === true,
    ignoreExcludeLabel: values['ignore-exclude-lb'] === true,
  }
  if (name === 'plan') return { kind: 'plan', options: { ...files, ...shared } }
  return buildStandalone(values, { paths: positionals, namespace: files.namespace, ...shared })
}

type Shared = Pick<StandaloneOptions, 'paths' | 'namespace' | 'placement' | 'loadBalancerClass'
  | 'announceEverywhere' | 'ignoreExcludeLabel'>

function buildStandalone(values: Values, shared: Shared): Command | Usage {
  const text = (key: string, fallback: string): string => {
    const value = values[key]
    return typeof value === 'string' ? value : fallback
  }
  const logLevel = choose('log-level', text('log-level', 'info'),
    ['all', 'debug', 'info', 'warn', 'error', 'none'] as const)
  if (isUsage(logLevel)) return logLevel
  const port = parsePort('http-port', text('http-port', '7472'))
  if (isUsage(port)) return port
  if (shared.paths.includes('-')) {
    return usage('Standard input can be read once only: give standalone a file or a folder')
  }
  const labels = parseLabels(values['node-label'])
  if (isUsage(labels)) return labels
  const group = buildGroup(values)
  if (isUsage(group)) return group
  const nodeName = parseNodeName(text('node-name', ''))
  if (isUsage(nodeName)) return nodeName
  const httpHost = text('http-host', '')
  return {
    kind: 'standalone',
    options: {
      ...shared,
      nodeName: nodeName === '' ? undefined : nodeName,
      nodeLabels: labels,
      stateDir: text('state-dir', '/var/lib/arpeggio'),
      httpHost: httpHost === '' ? undefined : httpHost,
      httpPort: port,
      logLevel,
      setSysctls: values['set-sysctls'] === true,
      forward: values['no-forward'] !== true,
      group,
    },
  }
}

function parseLabels(value: Values[string]): Labels | Usage {
  const labels: Record<string, string> = {}
  const texts = Array.isArray(value) ? value : []
  for (const text of texts) {
    const match = /^([^=\s]+)=([^=\s]*)$/.exec(String(text))
    if (match === null) return usage(`Bad value "${text}" of --node-label: want KEY=VALUE`)
    labels[match[1] ?? ''] = match[2] ?? ''
  }
  return labels
}
