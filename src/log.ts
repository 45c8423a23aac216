/** Writes one JSON object a line: keys ts, level, caller, msg as MetalLB's logs, then fields. */

export const levels = ['all', 'debug', 'info', 'warn', 'error', 'none'] as const
export type Level = (typeof levels)[number]

export type Fields = Readonly<Record<string, unknown>>

export interface Log {
  debug(msg: string, fields?: Fields): void
  info(msg: string, fields?: Fields): void
  warn(msg: string, fields?: Fields): void
  error(msg: string, fields?: Fields): void
  /** The same log with another `caller`: the source file that speaks. */
  from(caller: string): Log
}

export interface LogOptions {
  /** Lowest level written; `all` and `debug` write everything, `none` nothing. */
  readonly level: Level
  readonly write: (line: string) => void
  readonly wall: () => Date
}

/** A log that writes lines at or above `level`. `ts` is RFC 3339 in UTC with seconds. */
export function createLog(options: LogOptions, caller = 'main.ts'): Log {
  const threshold = levels.indexOf(options.level)
  const write = (level: Level, msg: string, fields: Fields = {}): void => {
    if (levels.indexOf(level) < threshold) return
    const ts = options.wall().toISOString().replace(/\.\d+Z$/, 'Z')
    options.write(JSON.stringify({ ts, level, caller, msg, ...fields }))
  }
  return {
    debug: (msg, fields) => write('debug', msg, fields),
    info: (msg, fields) => write('info', msg, fields),
    warn: (msg, fields) => write('warn', msg, fields),
    error: (msg, fields) => write('error', msg, fields),
    from: (other) => createLog(options, other),
  }
}
