/** Watches a segment with tcpdump: frames as lines of text, read by a program that is not ours. */
import { type Child, until } from './command.ts'

/** A running capture. Disposing stops it; what it has seen stays readable. */
export interface Capture extends AsyncDisposable {
  /** One line a frame as `tcpdump -e -v -tt` prints it, in the order of the wire. */
  frames(): readonly string[]
  /** Frames that match. */
  matching(pattern: RegExp): readonly string[]
  /** Waits until at least `count` frames match; returns all that do. */
  atLeast(count: number, pattern: RegExp): Promise<readonly string[]>
  /** Returns when every frame sent before the call has been captured. */
  settle(): Promise<void>
}

export interface CaptureOptions {
  /** Name of the bridge. */
  readonly segment: string
  /** In pcap-filter syntax. */
  readonly filter: string
  /** Starts a program where the bridge is. */
  readonly spawn: (argv: readonly string[]) => Child
}

/** Questions for these addresses mark a moment in the capture; nobody has them. */
const markers = '192.0.2.0/24'

/** Starts a capture; it is listening when the promise fulfils. */
export async function openCapture({ segment, filter, spawn }: CaptureOptions): Promise<Capture> {
  const tcpdump = spawn([
    'tcpdump', '-i', segment, '-l', '-n', '-e', '-v', '-tt', '--immediate-mode', '-Z', 'root',
    `(${filter}) or (arp dst net ${markers})`,
  ])
  await tcpdump.line(/listening on/)
  const frames = (): readonly string[] =>
    joinContinued(tcpdump.lines).filter((line) => !line.includes('who-has 192.0.2.'))
  const matching = (pattern: RegExp): readonly string[] =>
    frames().filter((line) => pattern.test(line))
  let moment = 0
  return {
    frames,
    matching,
    atLeast: (count, pattern) =>
      until(`${count} frames on "${segment}" match ${pattern}`, () => {
        const found = matching(pattern)
        return found.length >= count && found
      }),
    settle: async () => {
      moment = moment % 254 + 1
      const before = tcpdump.lines.length
      // A probe without sender: no cache learns from it, and the bridge needs no address.
      const mark = `192.0.2.${moment}`
      const arping = spawn(['arping', '-D', '-c', '1', '-w', '2', '-I', segment, mark])
      await until(`the mark ${mark} passes`, () =>
        tcpdump.lines.slice(before).some((line) => line.includes(`who-has ${mark} `)))
      await arping.stop('SIGKILL')
    },
    [Symbol.asyncDispose]: async () => void await tcpdump.stop('SIGINT'),
  }
}

/** With -v, tcpdump breaks a frame over lines; the later ones are indented. */
function joinContinued(lines: readonly string[]): readonly string[] {
  const joined: string[] = []
  for (const line of lines) {
    if (/^\s/.test(line)) joined.push(`${joined.pop() ?? ''} ${line.trim()}`)
    else if (/^\d/.test(line)) joined.push(line)
  }
  return joined
}
