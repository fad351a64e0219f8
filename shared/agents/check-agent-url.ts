import { isIP } from 'node:net';
import type { AddressGuard } from './address-guard.ts';

const MAX_URL_LENGTH = 2048;

/**
 * What is wrong with an HTTP agent's URL, or null: what can be seen without resolving its name. What the name resolves to is
 * checked at each connection, on the socket that is used.
 */
export function checkUrl(url: string, guard: AddressGuard): string | null {
  if (url.length > MAX_URL_LENGTH) return `expected at most ${MAX_URL_LENGTH} characters`;
  // The parser drops or encodes these silently; a stored URL should read as it is used.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f]/.test(url) || !url.isWellFormed()) {
    return 'expected a URL without spaces and control characters';
  }
  const parsed = URL.parse(url);
  if (!parsed) return 'expected an absolute URL such as https://agents.example.com/extract';
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    return `expected http or https, got ${parsed.protocol.slice(0, -1)}`;
  }
  if (parsed.username !== '' || parsed.password !== '')
    return 'expected a URL without a user name and password';
  return checkHost(parsed.hostname, guard);
}

/**
 * @param hostname as the URL parser gives it: every spelling of an IPv4 address (`0x7f.1`, `2130706433`, `127.1`) is dotted
 * decimal by then, and an IPv6 address in brackets.
 */
function checkHost(hostname: string, guard: AddressGuard): string | null {
  const literal = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname.replace(/\.$/, '');
  // RFC 6761: these names are the loopback whatever a resolver says.
  const address = literal === 'localhost' || literal.endsWith('.localhost') ? '127.0.0.1' : literal;
  if (isIP(address) === 0 || guard.allows(address)) return null;
  return `expected a public address, got ${hostname} (${guard.variable} allows others)`;
}
