/** Frames captured from a Linux 6.18 kernel and iputils on a veth pair, for conformance tests. */
import { fromHex } from './bytes.ts'

/** MACs and addresses of the two captured hosts. */
export const askerMac = '02:00:5e:00:53:0a'
export const ownerMac = '02:00:5e:00:53:0b'

/** tcpdump -enXX: 02:00:5e:00:53:0a > Broadcast, Request who-has 192.0.2.11 tell 192.0.2.10 */
export const arpRequestFrame = fromHex(`
  ffff ffff ffff 0200 5e00 530a 0806 0001 0800 0604 0001
  0200 5e00 530a c000 020a ffff ffff ffff c000 020b`)

/** The kernel's answer: Reply 192.0.2.11 is-at 02:00:5e:00:53:0b */
export const arpReplyFrame = fromHex(`
  0200 5e00 530a 0200 5e00 530b 0806 0001 0800 0604 0002
  0200 5e00 530b c000 020b 0200 5e00 530a c000 020a`)

/** arping -D: a probe as RFC 5227 §2.1.1 has it, Request who-has 192.0.2.99 tell 0.0.0.0 */
export const arpProbeFrame = fromHex(`
  ffff ffff ffff 0200 5e00 530a 0806 0001 0800 0604 0001
  0200 5e00 530a 0000 0000 ffff ffff ffff c000 0263`)

/** ndisc6: fe80::5eff:fe00:530a > ff02::1:ff00:11, who has 2001:db8::11, source option */
export const solicitationFrame = fromHex(`
  3333 ff00 0011 0200 5e00 530a 86dd 600c 25c4 0020 3aff
  fe80 0000 0000 0000 0000 5eff fe00 530a ff02 0000 0000 0000 0000 0001 ff00 0011
  8700 ea2d 0000 0000 2001 0db8 0000 0000 0000 0000 0000 0011 0101 0200 5e00 530a`)

/** The kernel's answer: tgt is 2001:db8::11, solicited and override, target option */
export const advertisementFrame = fromHex(`
  0200 5e00 530a 0200 5e00 530b 86dd 6000 0000 0020 3aff
  2001 0db8 0000 0000 0000 0000 0000 0011 fe80 0000 0000 0000 0000 5eff fe00 530a
  8800 5878 6000 0000 2001 0db8 0000 0000 0000 0000 0000 0011 0201 0200 5e00 530b`)

/** Duplicate address detection: :: > ff02::1:ff00:11, who has 2001:db8::11, nonce option */
export const dadProbeFrame = fromHex(`
  3333 ff00 0011 0200 5e00 530b 86dd 6000 0000 0020 3aff
  0000 0000 0000 0000 0000 0000 0000 0000 ff02 0000 0000 0000 0000 0001 ff00 0011
  8700 7fee 0000 0000 2001 0db8 0000 0000 0000 0000 0000 0011 0e01 f220 d95e f355`)
