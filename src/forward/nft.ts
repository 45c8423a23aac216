/** Runs the `nft` command: loads transactions, lists what other tables do. */
import { spawn } from 'node:child_process'

/** A hanging nft is ended after this time; 3,000 Services with three endpoints take 0.6 s. */
const timeoutMs = 10_000

export type NftResult =
  | { readonly ok: true; readonly output: string }
  | { readonly ok: false; readonly message: string }

/** Loads one JSON transaction: all of it or nothing. */
export function loadRuleset(ruleset: unknown): Promise<NftResult> {
  return runNft(['-j', '-f', '-'], JSON.stringify(ruleset))
}

/**
 * Whether a table of the family inet exists; undefined if nft cannot tell. Its rules are not
 * listed: with 10,000 Services that takes seconds.
 */
export async function hasTable(name: string): Promise<boolean | undefined> {
  const tables = await listTables()
  return tables?.some((table) => table.family === 'inet' && table.name === name)
}

/** Every table of the host but `name`, each as JSON text; none where nft cannot tell. */
export async function listOtherTables(name: string): Promise<readonly string[]> {
  const listings: string[] = []
  for (const table of await listTables() ?? []) {
    if (table.name === name) continue
    const listed = await runNft(['-j', 'list', 'table', table.family, table.name], '')
    if (listed.ok) listings.push(listed.output)
  }
  return listings
}

interface Table {
  readonly family: string
  readonly name: string
}

async function listTables(): Promise<readonly Table[] | undefined> {
  const listed = await runNft(['list', 'tables'], '')
  if (!listed.ok) return undefined
  return listed.output.split('\n').flatMap((line) => {
    // Names that nft's own grammar knows; they are safe in a shell.
    const [, family, name] = /^table (\w+) ([A-Za-z][\w./-]*)/.exec(line) ?? []
    return family === undefined || name === undefined ? [] : [{ family, name }]
  })
}

function runNft(args: readonly string[], input: string): Promise<NftResult> {
  return new Promise((resolve) => {
    // Debian keeps nft where the PATH of a plain user does not look.
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
    const env = { ...process.env, PATH: path }
    // nft opens /dev/stdin, which fails on the socket that this runtime gives its children. A
    // group of its own: what hangs is nft, not the shell that waits for it.
    const script = `cat | nft ${args.join(' ')}`
    const child = spawn('sh', ['-c', script], { env, detached: true, stdio: 'pipe' })
    const output: string[] = []
    const errors: string[] = []
    const fail = (message: string): void =>
      resolve({ ok: false, message: `Cannot load nftables rules: ${message}` })
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      fail(`nft did not end within ${timeoutMs / 1_000} s`)
    }, timeoutMs)
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
    child.on('error', (error) => {
      clearTimeout(timer)
      fail(error.message)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve({ ok: true, output: output.join('') })
      else resolve({ ok: false, message: describeFailure(code, errors.join('')) })
    })
    child.stdin.on('error', () => undefined) // the exit code tells
    child.stdin.end(input)
  })
}

/** What a shell returns for a command that does not exist (POSIX). */
const notFound = 127

function describeFailure(code: number | null, text: string): string {
  if (code === notFound) {
    return 'Cannot load nftables rules: "nft" is not installed; install the package nftables'
  }
  const first = text.split('\n').map((line) => line.trim()).find((line) => line !== '') ?? 'nft failed'
  if (/not permitted|denied/i.test(text)) {
    return `Cannot load nftables rules: ${first} (needs CAP_NET_ADMIN)`
  }
  if (/not supported/i.test(text)) {
    return `Cannot load nftables rules: ${first} (the kernel lacks nf_tables or one of its parts)`
  }
  return `Cannot load nftables rules: ${first}`
}
