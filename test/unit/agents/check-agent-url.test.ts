import { describe, expect, it } from 'vitest';
import { createAddressGuard } from '../../../shared/agents/address-guard.ts';
import { checkUrl } from '../../../shared/agents/check-agent-url.ts';

describe('addresses', () => {
  const guard = createAddressGuard([]);

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.1',
    '223.255.255.255',
    '::ffff:8.8.8.8',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
  ])('%s is public', (address) => {
    expect(guard.allows(address)).toBe(true);
  });

  it.each([
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT', '100.127.255.255'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['metadata', '169.254.169.254'],
    ['link-local', '169.254.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.255.255'],
    ['protocol assignments', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['benchmarks', '198.19.255.255'],
    ['6to4 relays', '192.88.99.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped loopback in hexadecimal', '::ffff:7f00:1'],
    ['IPv4-mapped loopback in full', '0:0:0:0:0:ffff:7f00:0001'],
    ['IPv4-mapped metadata', '::FFFF:A9FE:A9FE'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['NAT64 of a public address', '64:ff9b::8.8.8.8'],
    ['local NAT64', '64:ff9b:1::1'],
    ['6to4', '2002:7f00:1::1'],
    ['Teredo', '2001:0:7f00:1::'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['discard', '100::1'],
    ['metadata', 'fd00:ec2::254'],
    ['unique local', 'fc00::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['segment routing', '5f00::1'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['no address', '127.1'],
  ])('%s is refused: %s', (_, address) => {
    expect(guard.allows(address)).toBe(false);
  });

  it('are allowed where the operator says so, and only there', () => {
    const opened = createAddressGuard(['127.0.0.0/8', 'fd00::/8', '10.1.2.3']);
    const asked = [
      '127.0.0.1',
      '::ffff:127.0.0.1',
      'fd12::1',
      '10.1.2.3',
      '10.1.2.4',
      '::1',
      '169.254.169.254',
    ];
    expect(asked.map((address) => opened.allows(address))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0/8',
    '10.0.0.0/8/8',
    'host/8',
    'fd00::/129',
    '10.0.0.0/-1',
  ])('refuse to be configured by %s', (cidr) => {
    expect(() => createAddressGuard([cidr])).toThrow(/AGENT_ALLOWED_CIDRS.*got/);
  });
});

describe('a URL to register', () => {
  it.each([
    'https://agents.example.com/extract',
    'http://agents.example.com:8080/a?b=c#d',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/',
    'https://bücher.example/',
  ])('%s is fine', (url) => {
    expect(checkUrl(url, createAddressGuard([]))).toBeNull();
  });

  it.each([
    ['agents.example.com/extract', 'absolute URL'],
    ['', 'absolute URL'],
    ['/extract', 'absolute URL'],
    ['http://', 'absolute URL'],
    ['http://999.1.1.1/', 'absolute URL'],
    ['ftp://example.com/', 'http or https'],
    ['file:///etc/passwd', 'http or https'],
    ['javascript:alert(1)', 'http or https'],
    ['https://user:secret@example.com/', 'user name and password'],
    ['https://user@example.com/', 'user name and password'],
    ['https://example.com/a b', 'without spaces'],
    ['https://example.com/\n', 'without spaces'],
    ['https://example.com/\u0000', 'without spaces'],
    ['https://example.com/\ud800', 'without spaces'],
    [`https://example.com/${'a'.repeat(2048)}`, '2048 characters'],
    ['http://127.0.0.1/', 'public address'],
    ['http://127.1/', 'public address'],
    ['http://0x7f.1/', 'public address'],
    ['http://0177.0.0.1/', 'public address'],
    ['http://2130706433/', 'public address'],
    ['http://0/', 'public address'],
    ['http://１２７.０.０.１/', 'public address'],
    ['http://127.0.0.1./', 'public address'],
    ['http://localhost/', 'public address'],
    ['http://LOCALHOST./', 'public address'],
    ['http://a.localhost/', 'public address'],
    ['http://[::1]/', 'public address'],
    ['http://[::ffff:127.0.0.1]/', 'public address'],
    ['http://[::ffff:a9fe:a9fe]/', 'public address'],
    ['http://[fd00:ec2::254]/', 'public address'],
    ['http://169.254.169.254/latest/meta-data', 'public address'],
    ['http://10.0.0.1/', 'public address'],
  ])('%j is refused', (url, expected) => {
    expect(checkUrl(url, createAddressGuard([]))).toContain(expected);
  });

  it.each([
    'http://127.0.0.1:4000/',
    'http://localhost:4000/',
    'http://[::ffff:127.0.0.1]/',
    'http://0x7f.1/',
  ])('%s is fine where the loopback is allowed', (url) => {
    expect(checkUrl(url, createAddressGuard(['127.0.0.0/8']))).toBeNull();
  });
});
