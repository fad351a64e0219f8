import { readFileSync } from 'node:fs';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { createDeployment } from '../support/synthesise.ts';
import { propertiesOf } from './deployments.ts';

const runbook = readFileSync(new URL('../../infra/RUNBOOK.md', import.meta.url), 'utf8');
const anchors = runbook
  .split('\n')
  .filter((line) => line.startsWith('## '))
  .map((line) => line.slice(3).toLowerCase().replaceAll(' ', '-'));

function observe(context: Record<string, unknown>): Template {
  const { observability } = createDeployment(context).stepline;
  if (observability === null) throw new Error('This environment has nobody to wake');
  return Template.fromStack(observability);
}

test('every alarm says what users feel, and links to a section of the runbook that is there', () => {
  const alarms = propertiesOf(observe({ env: 'prod' }), 'AWS::CloudWatch::Alarm');
  expect(alarms.length).toBeGreaterThanOrEqual(12);
  for (const { AlarmDescription } of alarms) {
    const [, anchor] =
      /^.{20,} What to do: https:\/\/\S+\/infra\/RUNBOOK\.md#([a-z-]+)$/.exec(String(AlarmDescription)) ?? [];
    expect(anchors).toContain(anchor);
  }
});

test('the runbook may be read elsewhere', () => {
  const url = 'https://wiki.example.com/stepline';
  for (const { AlarmDescription } of propertiesOf(
    observe({ env: 'dev', runbookUrl: url }),
    'AWS::CloudWatch::Alarm',
  ))
    expect(AlarmDescription).toContain(` What to do: ${url}#`);
});

test('alarms go to the topic or the address that is given, and to nobody otherwise', () => {
  const arn = 'arn:aws:sns:eu-west-1:111122223333:oncall';
  const actions = (template: Template) =>
    new Set(
      propertiesOf(template, 'AWS::CloudWatch::Alarm').map((each) => JSON.stringify(each.AlarmActions)),
    );
  expect([...actions(observe({ env: 'prod', alarmTopicArn: arn }))]).toEqual([JSON.stringify([arn])]);
  expect([...actions(observe({ env: 'prod' }))]).toEqual([undefined]);
  const mailed = observe({ env: 'prod', alarmEmail: 'oncall@example.com' });
  mailed.hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'oncall@example.com',
  });
});

test.each([
  [{ database: 'aurora-serverless' }, 'DBClusterIdentifier', 'stepline-prod'],
  [{ database: 'instance' }, 'DBInstanceIdentifier', 'stepline-prod'],
])('%j is watched by its own name', (context, dimension, name) => {
  observe({ env: 'prod', ...context }).hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'CPUUtilization',
    Dimensions: [{ Name: dimension, Value: name }],
  });
});

test('a timekeeper that reports nothing is an alarm', () => {
  observe({ env: 'prod' }).hasResourceProperties('AWS::CloudWatch::Alarm', {
    Metrics: [
      Match.objectLike({
        MetricStat: Match.objectLike({ Metric: Match.objectLike({ MetricName: 'Invocations' }) }),
      }),
    ],
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
  });
});
