/** Datagrams in batches from a real socket, in a network namespace of this test's own. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../bytes.ts'
import { createInbox, type Inbox, optionTimestamp } from './inbox.ts'
import { bindSocket, closeFd, errnos, openSocket, sendTo, setOption } from './libc.ts'
import { enterNamespace, ip, until } from './pair.ts'

const check = enterNamespace(import.meta.url, test)

/** `struct sockaddr_in` of 127.0.0.1, port 7472. */
const loopback = Uint8Array.from([2, 0, 0x1d, 0x30, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
const levelSocket = 1
const on = Uint8Array.from([1, 0, 0, 0])

interface Mailbox extends Disposable {
  readonly fd: number
  send(...bytes: number[]): void
}

/** A socket that sends to itself; what was sent has arrived when sending returns. */
function openMailbox(options: { readonly isStamped: boolean }): Mailbox {
  ip('link', 'set', 'lo', 'up')
  const fd = openSocket(2, 2, 0)
  if (options.isStamped) assert.is(setOption(fd, levelSocket, optionTimestamp, on), 0)
  assert.is(bindSocket(fd, loopback), 0)
  return {
    fd,
    send: (...bytes) => void assert.is(sendTo(fd, Uint8Array.from(bytes), loopback), bytes.length),
    [Symbol.dispose]: () => closeFd(fd),
  }
}

function readAll(inbox: Inbox, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => toHex(inbox.datagram(i)))
}

check('an empty socket is not waited for', async () => {
  using mailbox = openMailbox({ isStamped: true })
  assert.is(createInbox(2, 8).receive(mailbox.fd), -errnos.again)
})

check('datagrams come in order, as many at a time as there is room for', async () => {
  using mailbox = openMailbox({ isStamped: true })
  const inbox = createInbox(2, 8)
  for (const bytes of [[1], [2, 2], [3, 3, 3]]) mailbox.send(...bytes)
  assert.equal(readAll(inbox, inbox.receive(mailbox.fd)), ['01', '0202'])
  assert.equal(readAll(inbox, inbox.receive(mailbox.fd)), ['030303'])
  assert.is(inbox.receive(mailbox.fd), -errnos.again)
})

check('one that is too long is cut, and leaves nothing to the next in its place', async () => {
  using mailbox = openMailbox({ isStamped: true })
  const inbox = createInbox(2, 3)
  mailbox.send(1, 2, 3, 4, 5)
  mailbox.send(6, 7, 8)
  assert.equal(readAll(inbox, inbox.receive(mailbox.fd)), ['010203', '060708'])
  mailbox.send(9)
  assert.equal(readAll(inbox, inbox.receive(mailbox.fd)), ['09'])
})

check('a copy stays what it was when its place is used again', async () => {
  using mailbox = openMailbox({ isStamped: true })
  const inbox = createInbox(1, 8)
  mailbox.send(1, 2)
  inbox.receive(mailbox.fd)
  const kept = inbox.datagram(0)
  mailbox.send(3, 4)
  inbox.receive(mailbox.fd)
  assert.equal([kept, inbox.datagram(0)].map(toHex), ['0102', '0304'])
})

check('each has the wall time of its arrival, in every call', async () => {
  using mailbox = openMailbox({ isStamped: true })
  const inbox = createInbox(2, 8)
  const sendAndWait = (): readonly [number, number] => {
    const fromMs = Date.now()
    mailbox.send(1)
    const toMs = Date.now() + 1
    while (Date.now() <= toMs) continue
    return [fromMs, toMs]
  }
  // The kernel begins a moment after it was asked: until then it stamps what is read.
  await until('what arrives is stamped', () => {
    const [, toMs] = sendAndWait()
    inbox.receive(mailbox.fd)
    return (inbox.arrivedWallMs(0) ?? Number.NaN) <= toMs
  })
  for (const round of ['first', 'second']) {
    const [first, second] = [sendAndWait(), sendAndWait()]
    assert.is(inbox.receive(mailbox.fd), 2)
    const stamps = [0, 1].map(inbox.arrivedWallMs)
    const order = [first[0], stamps[0] ?? Number.NaN, first[1], second[0], stamps[1] ?? Number.NaN, second[1]]
    assert.equal(order, order.toSorted((a, b) => a - b), `${round} call`)
  }
})

check('there is no time where the socket was not asked for it', async () => {
  using mailbox = openMailbox({ isStamped: false })
  const inbox = createInbox(1, 8)
  mailbox.send(1)
  assert.is(inbox.receive(mailbox.fd), 1)
  assert.is(inbox.arrivedWallMs(0), undefined)
})

test.run()
