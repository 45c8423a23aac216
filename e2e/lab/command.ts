/** Runs other programs: to their end with a result, or as children that live until stopped. */
import { type ChildProcess, spawn } from 'node:child_process'

/** One generous cap for every wait of the lab: tests are not stopwatches. */
export const capMs = 5_000
/** What has a program start in it: on a busy machine that alone takes seconds. */
export const startCapMs = 20_000

const pollMs = 20
/** Time to end that a child gets after SIGTERM. */
const graceMs = 3_000

export interface Result {
  /** Exit code; 128 and more for a signal, as shells count. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string
  readonly capMs?: number
}

/** Runs a program to its end. Rejects if it cannot be started or outlasts its cap. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()))
  child.stdin.on('error', () => {}) // a program that does not read its input is no failure
  child.stdin.end(options.stdin ?? '')
  const cap = options.capMs ?? capMs
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, cap)
  try {
    const code = await exitOf(child)
    if (isLate) throw new Error(`Cannot wait longer than ${cap} ms for "${argv.join(' ')}"`)
    return { code, stdout, stderr }
  } finally {
    clearTimeout(timer)
  }
}

/** Runs a program that must succeed; its standard output. */
export async function runOk(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options)
  if (code === 0) return stdout
  throw new Error(`Failed with exit code ${code}: "${argv.join(' ')}": ${stderr.trim()}`)
}

/** A program that runs beside us. Disposing stops it. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  /** Whole lines of standard output and standard error so far, as they arrived. */
  readonly lines: readonly string[]
  /** Its exit code, once it has ended. */
  readonly exited: Promise<number>
  isRunning(): boolean
  /** The first line that matches, past or future; rejects at the cap, or when the child ends. */
  line(pattern: RegExp, cap?: number): Promise<string>
  /** Sends a signal, then SIGKILL if that does not help; the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>
}

/** Starts a program that lives until it ends by itself or is stopped. */
export function openChild(argv: readonly string[], options: { cwd?: string } = {}): Child {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  collectLines(child.stdout, lines)
  collectLines(child.stderr, lines)
  let isRunning = true
  const exited = exitOf(child).catch(() => 127).finally(() => void (isRunning = false))
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number> => {
    if (isRunning) child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    return exited.finally(() => clearTimeout(timer))
  }
  return {
    pid: child.pid ?? 0,
    lines,
    exited,
    isRunning: () => isRunning,
    line: (pattern, cap) =>
      until(`"${argv.join(' ')}" prints ${pattern}`, () => {
        const found = lines.find((line) => pattern.test(line))
        if (found !== undefined || isRunning) return found
        throw new Error(`Ended early: "${argv.join(' ')}": ${lines.slice(-10).join('\n')}`)
      }, cap),
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  }
}

/**
 * Waits until `find` returns something other than undefined or false, and returns it. Rejects at
 * the cap; an exception of `find` ends the wait at once.
 */
export async function until<T>(
  what: string, find: () => T | undefined | false | Promise<T | undefined | false>, cap = capMs,
): Promise<T> {
  const end = performance.now() + cap
  for (;;) {
    const found = await find()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`Not within ${cap} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 128))
  })
}

function collectLines(stream: NodeJS.ReadableStream, lines: string[]): void {
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  stream.on('end', () => {
    if (rest !== '') lines.push(rest)
  })
}
