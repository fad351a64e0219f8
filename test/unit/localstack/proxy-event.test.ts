import { expect, test } from 'vitest';
import { requestTime } from '../../../localstack/api-gateway/proxy-event.ts';

test.each([
  ['2026-11-30T09:05:07.999Z', '30/Nov/2026:09:05:07 +0000'],
  ['2027-01-02T23:59:59.000Z', '02/Jan/2027:23:59:59 +0000'],
])('the time of a request at %s is %s', (at, told) => {
  expect(requestTime(new Date(at))).toBe(told);
});
