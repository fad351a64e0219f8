import { Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { Settings } from '../config/settings.ts';
import { alarmsOf } from '../constructs/alarm-list.ts';
import { Alarms } from '../constructs/alarms.ts';
import { dashboardRows } from '../constructs/dashboard-rows.ts';
import { Metrics } from '../constructs/metrics.ts';
import { Runbook, runbookRows } from '../constructs/runbook.ts';
import type { DataStack } from './data-stack.ts';
import type { FunctionsStack } from './functions-stack.ts';

export interface ObservabilityStackProps {
  readonly settings: Settings;
  readonly functions: FunctionsStack;
  readonly data: DataStack;
}

/** Who is woken, by what, and what they look at. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, { settings, functions, data }: ObservabilityStackProps) {
    super(scope, id, {
      stackName: `${settings.prefix}-observability`,
      description: 'Stepline: dashboard and alarms',
    });
    const metrics = new Metrics(settings, functions, data);
    const runbook = new Runbook(settings);
    const { all } = new Alarms(this, 'Alarms', {
      runbook,
      linkTo: (section) => this.#linkTo(section, settings),
      topic: this.#topicOf(settings),
      alarms: alarmsOf(metrics),
    });
    new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: settings.prefix,
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: all, width: 24 })],
        ...dashboardRows(metrics),
        ...runbookRows(runbook),
      ],
    });
  }

  /** Unless it is kept elsewhere, to the dashboard, which has the graphs and the whole runbook below them. */
  #linkTo(section: string, { options, prefix }: Settings): string {
    if (options.runbookUrl !== undefined)
      return `${options.runbookUrl}#${section.toLowerCase().replaceAll(' ', '-')}`;
    return `https://${this.region}.console.aws.amazon.com/cloudwatch/home?region=${this.region}#dashboards/dashboard/${prefix}`;
  }

  #topicOf({ options, prefix }: Settings): sns.ITopic | null {
    if (options.alarmTopicArn !== undefined)
      return sns.Topic.fromTopicArn(this, 'Topic', options.alarmTopicArn);
    if (options.alarmEmail === undefined) return null;
    const topic = new sns.Topic(this, 'Topic', { displayName: `${prefix} alarms`, enforceSSL: true });
    topic.addSubscription(new EmailSubscription(options.alarmEmail));
    return topic;
  }
}
