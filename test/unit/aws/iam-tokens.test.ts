import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMskToken, createRdsPassword } from '../../../shared/aws/iam-tokens.ts';

beforeEach(() => {
  // As Lambda gives a function its role.
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_SESSION_TOKEN', 'session');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test('a password of RDS is a signed request of one user to one server', async () => {
  const password = await createRdsPassword(
    'postgres://stepline_api@proxy.example.com:5432/db',
    'eu-west-1',
  )();
  const url = new URL(`https://${password}`);
  expect([url.host, url.searchParams.get('Action'), url.searchParams.get('DBUser')]).toEqual([
    'proxy.example.com:5432',
    'connect',
    'stepline_api',
  ]);
  expect(url.searchParams.get('X-Amz-Credential')).toMatch(
    /^AKIDEXAMPLE\/\d{8}\/eu-west-1\/rds-db\/aws4_request$/,
  );
  expect(url.searchParams.get('X-Amz-Expires')).toBe('900');
});

test('a token of MSK is a signed request to connect', async () => {
  const token = await createMskToken('eu-west-1')();
  const url = new URL(Buffer.from(token, 'base64url').toString());
  expect([url.host, url.searchParams.get('Action')]).toEqual([
    'kafka.eu-west-1.amazonaws.com',
    'kafka-cluster:Connect',
  ]);
  expect(url.searchParams.get('X-Amz-Security-Token')).toBe('session');
});
