import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Runbook } from './runbook.ts';

export interface AlarmSettings {
  /** A heading of RUNBOOK.md, which has a section of this name. */
  readonly name: string;
  /** What users feel. */
  readonly meaning: string;
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly minutes: number;
  /** How many of those minutes must be bad; all, unless it says otherwise. */
  readonly badMinutes?: number;
  readonly comparison?: 'above' | 'below';
  /** Nothing reported is as bad as a bad value. */
  readonly missingIsBad?: boolean;
}

export interface AlarmsProps {
  readonly runbook: Runbook;
  /** Where the whole of it can be read; the section is what this gives. */
  readonly linkTo: (section: string) => string;
  readonly topic: sns.ITopic | null;
  readonly alarms: readonly AlarmSettings[];
}

/** What CloudWatch takes. */
const MAX_DESCRIPTION_LENGTH = 1_024;

/** Each alarm says what users feel and what to do: whoever is woken has it in the message, and need not find it first. */
export class Alarms extends Construct {
  readonly all: cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { runbook, linkTo, topic, alarms }: AlarmsProps) {
    super(scope, id);
    this.all = alarms.map((settings) => {
      const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
      const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;
      const alarm = new cloudwatch.Alarm(this, settings.name, {
        alarmDescription: describe(settings, runbook, linkTo),
        metric: settings.metric,
        threshold: settings.threshold,
        evaluationPeriods: settings.minutes,
        datapointsToAlarm: settings.badMinutes ?? settings.minutes,
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

function describe({ name, meaning }: AlarmSettings, runbook: Runbook, linkTo: AlarmsProps['linkTo']): string {
  const { title, text } = runbook.section(titleOf(name));
  const description = `${meaning}\n\n${text}\n\nRunbook: ${linkTo(title)}`;
  if (description.length > MAX_DESCRIPTION_LENGTH)
    throw new Error(
      `"## ${title}" of infra/RUNBOOK.md is too long for an alarm: ${description.length} characters with its meaning and link, expected at most ${MAX_DESCRIPTION_LENGTH}`,
    );
  return description;
}

/** `RunsDoNotBegin` is the section `## Runs do not begin`. */
function titleOf(name: string): string {
  const words = name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Alarms look at each minute. */
export const EVERY_MINUTE = { period: Duration.minutes(1) };
