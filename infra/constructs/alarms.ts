import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

export interface AlarmSettings {
  /** A heading of RUNBOOK.md, which has a section of this name. */
  readonly name: string;
  /** What users feel. */
  readonly meaning: string;
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly minutes: number;
  readonly comparison?: 'above' | 'below';
  /** Nothing reported is as bad as a bad value. */
  readonly missingIsBad?: boolean;
}

export interface AlarmsProps {
  readonly runbookUrl: string;
  readonly topic: sns.ITopic | null;
  readonly alarms: readonly AlarmSettings[];
}

/** Each alarm says what users feel, and where it is written what to do. */
export class Alarms extends Construct {
  readonly all: cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { runbookUrl, topic, alarms }: AlarmsProps) {
    super(scope, id);
    this.all = alarms.map((settings) => {
      const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
      const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;
      const alarm = new cloudwatch.Alarm(this, settings.name, {
        alarmDescription: `${settings.meaning} What to do: ${runbookUrl}#${anchorOf(settings.name)}`,
        metric: settings.metric,
        threshold: settings.threshold,
        evaluationPeriods: settings.minutes,
        comparisonOperator: settings.comparison === 'below' ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
        treatMissingData: settings.missingIsBad ? BREACHING : NOT_BREACHING,
      });
      if (topic !== null) {
        alarm.addAlarmAction(new SnsAction(topic));
        alarm.addOkAction(new SnsAction(topic));
      }
      return alarm;
    });
  }
}

/** `RunsDoNotBegin` is the section `## Runs do not begin`, whose anchor is `runs-do-not-begin`. */
export function anchorOf(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}

/** Alarms look at each minute. */
export const EVERY_MINUTE = { period: Duration.minutes(1) };
