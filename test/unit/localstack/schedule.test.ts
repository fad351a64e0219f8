import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startSchedule } from '../../../localstack/schedule.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-01-02T03:04:05.678Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

test('fires at once and then every minute, with EventBridge’s event, until stopped', () => {
  const fired: { functionName: string; event: unknown }[] = [];
  const invokeLater = (functionName: string, event: unknown) => void fired.push({ functionName, event });
  const schedule = startSchedule({ functionName: 'timekeeper', rateMs: 60_000 }, invokeLater);
  expect(fired).toEqual([
    {
      functionName: 'timekeeper',
      event: {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        'detail-type': 'Scheduled Event',
        source: 'aws.events',
        account: '000000000000',
        time: '2026-01-02T03:04:05Z',
        region: 'us-east-1',
        resources: ['arn:aws:events:us-east-1:000000000000:rule/timekeeper'],
        detail: {},
      },
    },
  ]);
  vi.advanceTimersByTime(180_000);
  expect(fired).toHaveLength(4);
  schedule.stop();
  vi.advanceTimersByTime(180_000);
  expect(fired).toHaveLength(4);
});
