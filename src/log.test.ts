/** Log lines: keys, levels, time. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog, type Level } from './log.ts'

function written(level: Level): string[] {
  const lines: string[] = []
  const wall = () => new Date('2026-01-02T03:04:05.678Z')
  const log = createLog({ level, write: (line) => void lines.push(line), wall })
  log.debug('a')
  log.from('speaker.ts').info('b', { ips: ['192.0.2.1'] })
  log.warn('c')
  log.error('d')
  return lines
}

test('a line has ts in seconds, level, caller and msg, then fields', () => {
  assert.is(written('info')[0],
    '{"ts":"2026-01-02T03:04:05Z","level":"info","caller":"speaker.ts","msg":"b","ips":["192.0.2.1"]}')
})

const counts = [
  { level: 'all', want: 4 }, { level: 'debug', want: 4 }, { level: 'info', want: 3 },
  { level: 'warn', want: 2 }, { level: 'error', want: 1 }, { level: 'none', want: 0 },
] as const
for (const { level, want } of counts) {
  test(`level ${level} writes ${want} of four`, () => assert.is(written(level).length, want))
}

test.run()
