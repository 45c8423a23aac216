/** What of a refusal stays the same while others come and go. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, port, service } from '../config/builders.ts'
import type { Config, Intent } from '../config/model.ts'
import { gistOf } from './message.ts'
import { planAllocation } from './plan.ts'

const lan = pool('lan', '192.0.2.1/32 2001:db8::/64')
const asks = held('192.0.2.1')
const shares = { sharingKey: 'k', hasSharingKey: true, held: asks }
const late = (more: Partial<Intent>): Intent => service('late', more)

interface Case {
  readonly it: string
  readonly late: Intent
  /** What else there is, before and after. */
  readonly others: readonly (readonly Intent[])[]
  readonly pools?: readonly Config[]
  readonly want: string
}

const cases: readonly Case[] = [
  { it: 'addressInUse: by another', late: late({ requested: asks }), want: '"192.0.2.1" is in use',
    others: [[service('a', { held: asks })], [service('b', { held: asks })]] },
  { it: 'portInUse: and by one more', want: 'port TCP/80 is already in use on "192.0.2.1"',
    late: late({ requested: asks, sharingKey: 'k', hasSharingKey: true }), others: [
      [service('a', shares)], [service('b', shares), service('c', { ...shares, ports: [port(81)] })],
    ] },
  { it: 'sharingKeyMismatch: by another',
    want: 'can\'t change sharing key for "default/late", address also in use',
    late: late({ requested: asks, sharingKey: 'other', hasSharingKey: true }),
    others: [[service('a', shares)], [service('b', shares)]] },
  { it: 'poolExhausted: more of the other family in use',
    want: 'no available IPs: no free IPv4 and IPv6 address in "lan"',
    late: late({ families: ['ipv4', 'ipv6'], policy: 'RequireDualStack' }),
    others: [[service('a', { held: asks })],
      [service('a', { held: asks }), service('b', { families: ['ipv6'], held: held('2001:db8::1') })]] },
  { it: 'unknownPool: another pool', late: late({ requestedPool: 'x' }), want: 'unknown pool "x"',
    others: [[], []], pools: [config(lan), config(lan, pool('more', '198.51.100.0/24'))] },
]
for (const { it, late: one, others, pools = [], want } of cases) {
  test(`gistOf ${it}`, () => {
    const sentences = others.map((services, i) => {
      const verdicts = planAllocation({ config: pools[i] ?? config(lan), services: [...services, one] })
      const verdict = verdicts.find(({ service: key }) => key === one.key)
      return verdict?.kind === 'refused' ? verdict.message : ''
    })
    assert.is(new Set(sentences).size, 2, 'the sentences differ')
    assert.equal(sentences.map(gistOf), [want, want])
  })
}

test.run()
