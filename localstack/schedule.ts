import { randomUUID } from 'node:crypto';
import { emulatedAccount, emulatedRegion } from './invocation.ts';

export interface ScheduleSettings {
  functionName: string;
  rateMs: number;
}

/** What EventBridge sends for a schedule. */
export function scheduledEvent(functionName: string, time: Date) {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: emulatedAccount,
    // EventBridge knows whole seconds.
    time: `${time.toISOString().slice(0, 19)}Z`,
    region: emulatedRegion,
    resources: [`arn:aws:events:${emulatedRegion}:${emulatedAccount}:rule/${functionName}`],
    detail: {},
  };
}

/**
 * A rule with `rate(…)`: at once, then at every full period, whether or not the one before is still running: EventBridge
 * invokes asynchronously and does not look.
 */
export function startSchedule(
  { functionName, rateMs }: ScheduleSettings,
  invokeLater: (functionName: string, event: unknown) => void,
): { stop(): void } {
  const fire = () => invokeLater(functionName, scheduledEvent(functionName, new Date()));
  fire();
  const timer = setInterval(fire, rateMs);
  return { stop: () => clearInterval(timer) };
}
