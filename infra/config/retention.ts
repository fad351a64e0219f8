import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Options } from './settings.ts';

const days: Readonly<Record<Options['logRetentionDays'], RetentionDays>> = {
  '1': RetentionDays.ONE_DAY,
  '7': RetentionDays.ONE_WEEK,
  '14': RetentionDays.TWO_WEEKS,
  '30': RetentionDays.ONE_MONTH,
  '90': RetentionDays.THREE_MONTHS,
  '180': RetentionDays.SIX_MONTHS,
  '365': RetentionDays.ONE_YEAR,
};

export function retentionOf(logRetentionDays: Options['logRetentionDays']): RetentionDays {
  return days[logRetentionDays];
}
