/** Which chains of other tables stand in the way of forwarding, and the command that helps. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findBlockers } from './host.ts'

const chain = (more: Record<string, unknown>) => ({
  chain: { family: 'ip', table: 'filter', name: 'FORWARD', handle: 1, type: 'filter',
    hook: 'forward', prio: 0, policy: 'drop', ...more },
})
const listing = (...rows: unknown[]): string =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...rows] })
const both = new Set(['ipv4', 'ipv6'] as const)

const cases = [
  { it: 'not JSON', given: '', want: [] },
  { it: 'an accepting policy', given: listing(chain({ policy: 'accept' })), want: [] },
  { it: 'another hook', given: listing(chain({ hook: 'input' })), want: [] },
  { it: 'a chain without hook', given: listing(chain({ hook: undefined })), want: [] },
  { it: 'our own table', given: listing(chain({ family: 'inet', table: 'arpeggio' })), want: [] },
  { it: 'another family', given: listing(chain({ family: 'bridge' })), want: [] },
  { it: 'a firewall of all families', given: listing(chain({ family: 'inet', table: 'fw', name: 'fwd' })),
    want: ['nft insert rule inet fw fwd ct status dnat accept'] },
  { it: 'Docker\'s, before its own chain for users exists', given: listing(chain({})),
    want: ['nft insert rule ip filter FORWARD ct status dnat accept'] },
  { it: 'Docker\'s: its chain for users',
    given: listing(chain({}), chain({ name: 'DOCKER-USER', hook: undefined, policy: undefined })),
    want: ['nft insert rule ip filter DOCKER-USER ct status dnat accept'] },
  { it: 'the fix is in place', want: [], given: listing(chain({}), { rule: { family: 'ip',
    table: 'filter', chain: 'FORWARD', expr: [{ match: { op: 'in', left: { ct: { key: 'status' } },
      right: 'dnat' } }, { accept: null }] } }) },
  { it: 'IPv6 tables', given: listing(chain({ family: 'ip6' })),
    want: ['nft insert rule ip6 filter FORWARD ct status dnat accept'] },
]
for (const { it, given, want } of cases) {
  test(`findBlockers: ${it}`, () => {
    const commands = findBlockers(given, both).map(({ message }) => /"(nft [^"]*)"/.exec(message)?.[1])
    assert.equal(commands, want)
  })
}

test('findBlockers: a family that nothing is forwarded of does not matter', () => {
  assert.equal(findBlockers(listing(chain({ family: 'ip6' })), new Set(['ipv4'] as const)), [])
})

test.run()
