/** Which of the addresses of --join are other hosts, and at which address this one is met. */
import { isUsable } from '../l2/eligible.ts'
import type { LinkState } from '../l2/model.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { prefixContains } from '../net/range.ts'

/** Without the addresses of this host, whichever of its interfaces has them: the list is the same on all. */
export function otherHosts(
  join: readonly Address[], bindAddress: Address, links: readonly LinkState[],
): readonly Address[] {
  const own = [bindAddress, ...links.flatMap(({ addresses }) => addresses.map(({ address }) => address))]
  return join.filter((each) => !own.some((address) => sameAddress(address, each)))
}

/** The own address among those of --join, else the one on a network with the first of them that has one. */
export function chooseAddress(join: readonly Address[], links: readonly LinkState[]): Address {
  const own = links.filter(isUsable).flatMap(({ addresses }) => addresses)
  const listed = own.find(({ address }) => join.some((each) => sameAddress(each, address)))
  if (listed !== undefined) return listed.address
  for (const target of join) {
    const near = own.find(({ prefix }) => prefixContains(prefix, target))
    if (near !== undefined) return near.address
  }
  const texts = join.map(formatAddress).join(', ')
  throw new Error(`Cannot tell which address of this host ${texts} can reach: give --ml-bindaddr`)
}
