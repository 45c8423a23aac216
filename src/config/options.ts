/** Argument lists and environment become a Command, or a sentence about wrong usage. */
import { parseArgs } from 'node:util'
import type { Labels } from './model.ts'

export type Output = 'table' | 'json' | 'yaml'
export type LogLevel = 'all' | 'debug' | 'info' | 'warn' | 'error' | 'none'

export interface FileOptions {
  readonly output: Output
  readonly namespace: string | undefined
  /** Files and folders; `-` is standard input. Never empty. */
  readonly paths: readonly string[]
}

export interface PlanOptions extends FileOptions {
  readonly placement: 'sticky' | 'hash'
  readonly loadBalancerClass: string
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
}

export type Command =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'check'; readonly options: FileOptions }
  | { readonly kind: 'plan'; readonly options: PlanOptions }
  | { readonly kind: 'convert'; readonly options: FileOptions }
  | { readonly kind: 'status'; readonly url: string; readonly output: Output }
  | { readonly kind: 'standalone'; readonly options: StandaloneOptions }

export interface Usage {
  readonly kind: 'usage'
  /** What is wrong and how to write it, for standard error. */
  readonly message: string
}

export type Environment = Readonly<Record<string, string | undefined>>

interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly commands: readonly string[]
  /** What stands after the name in the help text. */
  readonly value?: string
  readonly about: string
  readonly short?: string
  readonly multiple?: boolean
  readonly env?: string
}

const readers = ['check', 'plan', 'convert', 'standalone']

/** The one table of options: parsing, the help text and the environment come from it. */
const specs: Readonly<Record<string, OptionSpec>> = {
  output: {
    type: 'string', short: 'o', value: 'table|json|yaml', about: 'output form (default table)',
    commands: ['check', 'plan', 'convert', 'status'],
  },
  namespace: {
    type: 'string', value: 'NAME', env: 'METALLB_NAMESPACE', commands: readers,
    about: 'release namespace: pools and advertisements elsewhere are ignored',
  },
  placement: {
    type: 'string', value: 'sticky|hash', commands: ['plan', 'standalone'],
    about: 'who owns an address: kept and balanced, or MetalLB\'s election (default sticky)',
  },
  'lb-class': {
    type: 'string', value: 'CLASS', commands: ['plan', 'standalone'],
    about: 'serve only Services of this loadBalancerClass (default: only those without)',
  },
  'announce-everywhere': {
    type: 'boolean', commands: ['plan', 'standalone'],
    about: 'announce also on interfaces without a prefix that covers the address',
  },
  'ignore-exclude-lb': {
    type: 'boolean', commands: ['plan', 'standalone'],
    about: 'announce also from nodes labelled exclude-from-external-load-balancers',
  },
  'node-name': {
    type: 'string', value: 'NAME', env: 'METALLB_NODE_NAME', commands: ['standalone'],
    about: 'name of this host (default: its hostname)',
  },
  'node-label': {
    type: 'string', multiple: true, value: 'KEY=VALUE', commands: ['standalone'],
    about: 'label of this host for node selectors; may be repeated',
  },
  'state-dir': {
    type: 'string', value: 'DIR', commands: ['standalone'],
    about: 'where assigned addresses are remembered (default /var/lib/arpeggio)',
  },
  'http-port': {
    type: 'string', value: 'PORT', commands: ['standalone'],
    about: 'port of status, metrics and probes (default 7472)',
  },
  'http-host': {
    type: 'string', value: 'ADDRESS', commands: ['standalone'],
    about: 'address to listen on (default: all)',
  },
  'no-forward': {
    type: 'boolean', commands: ['standalone'],
    about: 'announce only; leave nftables alone',
  },
  'set-sysctls': {
    type: 'boolean', commands: ['standalone'], about: 'switch on IP forwarding where it is off',
  },
  'log-level': {
    type: 'string', value: 'LEVEL', commands: ['standalone'],
    about: 'all, debug, info, warn, error or none (default info)',
  },
  url: {
    type: 'string', value: 'URL', commands: ['status'],
    about: 'where to ask (default http://127.0.0.1:7472)',
  },
}

const commands: Readonly<Record<string, string>> = {
  standalone: 'PATH…  serve Services from YAML files on this host, without a cluster',
  check: 'PATH…  validate configuration; exit 1 and every problem if it is bad',
  plan: 'PATH…  which address each Service would get and which node would announce it',
  convert: 'FILE  legacy ConfigMap to IPAddressPool and L2Advertisement manifests',
  status: '  ask a running program',
}

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/**
 * Parses what follows the program's name. Go's single-dash long options (`-http-port=7472`) are
 * accepted, as MetalLB's users type them. Files are not touched.
 */
export function parseCommand(argv: readonly string[], env: Environment): Command | Usage {
  const [name = 'help', ...rest] = argv
  if (name === 'help' || name === '--help' || name === '-h') return { kind: 'help', text: helpText() }
  if (name === 'version' || name === '--version') return { kind: 'version' }
  if (!Object.hasOwn(commands, name)) {
    return usage(`Unknown command "${name}": want one of ${Object.keys(commands).join(', ')}`)
  }
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', text: helpText(name) }
  const parsed = parseOptions(name, rest, env)
  if ('kind' in parsed) return parsed
  return buildCommand(name, parsed.values, parsed.positionals)
}

function usage(message: string): Usage {
  return { kind: 'usage', message }
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
      args: argv.map((argument) => normalise(argument)), options, allowPositionals: true,
    })
    const fromEnv = own.flatMap(([key, spec]) => {
      const value = spec.env === undefined ? undefined : env[spec.env]
      return value === undefined || value === '' ? [] : [[key, value] as const]
    })
    return { values: { ...Object.fromEntries(fromEnv), ...values }, positionals }
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('. ')[0] : String(error)
    return usage(`${reason}: see "arpeggio ${name} --help"`)
  }
}

/** `-http-port=1` to `--http-port=1`; booleans lose `=true`. Short options stay. */
function normalise(argument: string): string {
  const match = /^--?([a-z][a-z-]+)(=.*)?$/.exec(argument)
  const name = match?.[1]
  if (name === undefined || specs[name] === undefined) return argument
  const value = match?.[2] ?? ''
  if (specs[name].type === 'boolean' && value === '=true') return `--${name}`
  return `--${name}${value}`
}

function buildCommand(
  name: string, values: Values, positionals: readonly string[],
): Command | Usage {
  const text = (key: string): string | undefined => {
    const value = values[key]
    return typeof value === 'string' ? value : undefined
  }
  const output = choose('output', text('output') ?? 'table', ['table', 'json', 'yaml'] as const)
  if (isUsage(output)) return output
  if (name === 'status') {
    return { kind: 'status', url: text('url') ?? 'http://127.0.0.1:7472', output }
  }
  if (positionals.length === 0) {
    return usage(`Missing file or folder: arpeggio ${name} ${commands[name]?.split('  ')[0]}`)
  }
  const files = { output, namespace: text('namespace'), paths: positionals }
  if (name === 'check' || name === 'convert') return { kind: name, options: files }
  const placement = choose('placement', text('placement') ?? 'sticky', ['sticky', 'hash'] as const)
  if (isUsage(placement)) return placement
  const shared = {
    placement,
    loadBalancerClass: text('lb-class') ?? '',
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
  const port = text('http-port', '7472')
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    return usage(`Bad value "${port}" of --http-port: want a port number from 0 to 65535`)
  }
  if (shared.paths.includes('-')) {
    return usage('Standard input can be read once only: give standalone a file or a folder')
  }
  const labels = parseLabels(values['node-label'])
  if (isUsage(labels)) return labels
  const nodeName = text('node-name', '')
  const httpHost = text('http-host', '')
  return {
    kind: 'standalone',
    options: {
      ...shared,
      nodeName: nodeName === '' ? undefined : nodeName,
      nodeLabels: labels,
      stateDir: text('state-dir', '/var/lib/arpeggio'),
      httpHost: httpHost === '' ? undefined : httpHost,
      httpPort: Number(port),
      logLevel,
      setSysctls: values['set-sysctls'] === true,
      forward: values['no-forward'] !== true,
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

function choose<T extends string>(name: string, value: string, of: readonly T[]): T | Usage {
  const found = of.find((one) => one === value)
  return found ?? usage(`Bad value "${value}" of --${name}: want ${of.join(', ')}`)
}

function isUsage(value: unknown): value is Usage {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'usage'
}

/** The help text of the program, or of one command. */
export function helpText(command?: string): string {
  if (command === undefined) {
    const rows = Object.entries(commands).map(([name, about]) => `  arpeggio ${name} ${about}`)
    return ['Arpeggio, a layer-2 load balancer', '', ...rows, '',
      'PATH is a file, a folder (its *.yaml, *.yml and *.json) or - for standard input.',
      'Options of a command: arpeggio COMMAND --help'].join('\n')
  }
  const rows = Object.entries(specs)
    .filter(([, spec]) => spec.commands.includes(command))
    .map(([name, spec]) => {
      const short = spec.short === undefined ? '' : `-${spec.short}, `
      const left = `  ${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`
      const env = spec.env === undefined ? '' : ` [${spec.env}]`
      return `${left.padEnd(34)} ${spec.about}${env}`
    })
  return [`arpeggio ${command} ${commands[command] ?? ''}`, '', ...rows].join('\n')
}
