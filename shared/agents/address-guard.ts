import { BlockList, isIP } from 'node:net';

/** Says which addresses agents may be called at (design §4: SSRF). */
export interface AddressGuard {
  /** The environment variable that lets others through. */
  readonly variable: AllowingVariable;
  /** @param address an IP address as text, an IPv6 one without brackets. Anything else is refused. */
  allows(address: string): boolean;
}

export type AllowingVariable = 'AGENT_ALLOWED_CIDRS' | 'USER_AGENT_ALLOWED_CIDRS';

export class BadCidrError extends Error {
  readonly code = 'BAD_CIDR';
}

/** What IANA's IPv4 special-purpose registry calls not globally reachable, 6to4's relays, multicast and reserved. */
const REFUSED_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Only global unicast is let through at all: unique local, link-local, NAT64, multicast, `::` and the metadata address lie outside. */
const GLOBAL_IPV6 = ['2000::/3'];
/** Within it: protocol assignments with Teredo and ORCHID, documentation, 6to4. The tunnels can carry any IPv4 address. */
const REFUSED_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const refusedIpv4 = blockListOf(REFUSED_IPV4);
const globalIpv6 = blockListOf(GLOBAL_IPV6);
const refusedIpv6 = blockListOf(REFUSED_IPV6);

/**
 * @param allowedCidrs ranges or single addresses that are allowed although they are not public.
 * @param variable that they are from
 * @throws BadCidrError naming both.
 */
export function createAddressGuard(
  allowedCidrs: readonly string[],
  variable: AllowingVariable = 'AGENT_ALLOWED_CIDRS',
): AddressGuard {
  const allowed = blockListOf(allowedCidrs, variable);
  return {
    variable,
    allows(given) {
      const address = plainAddress(given);
      const family = isIP(address);
      if (family === 0) return false;
      const type = family === 4 ? 'ipv4' : 'ipv6';
      if (allowed.check(address, type)) return true;
      if (family === 4) return !refusedIpv4.check(address, type);
      return globalIpv6.check(address, type) && !refusedIpv6.check(address, type);
    },
  };
}

/** The IPv4 address inside an IPv4-mapped one (`::ffff:7f00:1` is 127.0.0.1), without an IPv6 zone; others as they are. */
function plainAddress(given: string): string {
  const address = given.split('%', 1)[0]!;
  if (isIP(address) !== 6) return address;
  // The URL parser writes every spelling of an IPv6 address in one way.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = Number.parseInt(mapped[1]!, 16);
  const low = Number.parseInt(mapped[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function blockListOf(cidrs: readonly string[], variable = ''): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits, ...rest] = cidr.split('/');
    const family = isIP(address);
    const width = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? width : Number(bits);
    const isPrefix = Number.isInteger(prefix) && prefix >= 0 && prefix <= width && bits !== '';
    if (family === 0 || !isPrefix || rest.length > 0) {
      throw new BadCidrError(`Set ${variable} right: expected address/bits such as 10.0.0.0/8, got ${cidr}`);
    }
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
