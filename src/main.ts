/** The program: reads its arguments, runs one command, sets the exit code. Wiring only. */
import { type CheckResult, runCheck } from './cli/check.ts'
import { type ConvertResult, runConvert } from './cli/convert.ts'
import { describeError, readFilled, readInput } from './cli/input.ts'
import { type PlanResult, runPlan } from './cli/plan.ts'
import { askStatus, type StatusAnswer } from './cli/status.ts'
import type { Reading } from './config/model.ts'
import { type Command, type FileOptions, parseCommand } from './config/options.ts'
import type { RoleOptions } from './config/role-options.ts'
import { readWorld } from './config/read.ts'
import { createLog, type Level, type Log } from './log.ts'
import { version } from './version.ts'

/** Runs one command; 0 good, 1 the answer is bad news, 2 wrong usage. */
async function run(command: Command): Promise<number> {
  switch (command.kind) {
    case 'help':
      return print(command.text)
    case 'version':
      return print(`arpeggio ${version}`)
    case 'check':
      return finish(runCheck(await readFiles(command.options), command.options))
    case 'plan':
      return finish(runPlan(await readFiles(command.options), command.options))
    case 'convert':
      return finish(runConvert(await readInput(command.options.paths), command.options))
    case 'status':
      return finish(await askStatus(command.url, command.output))
    case 'standalone': {
      // Loaded on demand: check and plan run where the packet library does not.
      const { runStandalone } = await import('./standalone/standalone.ts')
      const log = openLog(command.options.logLevel)
      await runStandalone(command.options, log, signalled('SIGTERM', 'SIGINT'))
      return 0
    }
    case 'controller': {
      const { runController } = await import('./controller/controller.ts')
      const log = openRoleLog(command.options)
      await runController(command.options, log, signalled('SIGTERM', 'SIGINT', 'SIGQUIT'))
      return 0
    }
    case 'speaker': {
      const { runSpeaker } = await import('./speaker/speaker.ts')
      const log = openRoleLog(command.options)
      await runSpeaker(command.options, log, signalled('SIGTERM', 'SIGINT', 'SIGQUIT'))
      return 0
    }
  }
}

function openLog(level: Level): Log {
  const write = (line: string): void => void process.stdout.write(`${line}\n`)
  return createLog({ level, write, wall: () => new Date() })
}

/** A flag of MetalLB's that changes nothing here must not look as if it did. */
function openRoleLog({ logLevel, ignored }: RoleOptions): Log {
  const log = openLog(logLevel)
  for (const option of ignored) log.warn('option has no effect', { option })
  return log
}

async function readFiles(options: FileOptions): Promise<Reading> {
  const input = await readFilled(options.paths)
  const { namespace } = options
  const reading = readWorld(input.sources, namespace === undefined ? {} : { namespace })
  if (input.problems.length === 0) return reading
  return { ...reading, world: undefined, problems: [...input.problems, ...reading.problems] }
}

function finish(result: CheckResult | PlanResult | ConvertResult | StatusAnswer): number {
  if (result.stderr !== '') process.stderr.write(`${result.stderr}\n`)
  if (result.stdout !== '') print(result.stdout)
  return result.exitCode
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

function signalled(...signals: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
}

const command = parseCommand(process.argv.slice(2), process.env)
if (command.kind === 'usage') {
  process.stderr.write(`${command.message}\n`)
  process.exitCode = 2
} else {
  try {
    process.exitCode = await run(command)
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`)
    process.exitCode = 1
  }
}
