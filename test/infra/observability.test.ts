import { readFileSync } from 'node:fs';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { createDeployment } from '../support/synthesise.ts';
import { propertiesOf } from './deployments.ts';

const runbook = readFileSync(new URL('../../infra/RUNBOOK.md', import.meta.url), 'utf8');
const headings = runbook.split('\n').flatMap((line) => (line.startsWith('## ') ? [line.slice(3)] : []));

function observe(context: Record<string, unknown>): Template {
  const { observability } = createDeployment(context).stepline;
  if (observability === null) throw new Error('This environment has nobody to wake');
  return Template.fromStack(observability);
}

/** The text of a property that may name the region. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { 'Fn::Join': join } = value as { 'Fn::Join': [string, unknown[]] };
  return join[1].map((part) => (typeof part === 'string' ? part : 'eu-west-1')).join('');
}

const descriptionsOf = (template: Template) =>
  Object.entries(template.findResources('AWS::CloudWatch::Alarm')).map(([id, { Properties }]) => ({
    name: id.replace(/^Alarms|[0-9A-F]{8}$/g, ''),
    description: textOf(Properties.AlarmDescription),
  }));

test('every alarm says what users feel and what to do, with commands that are to be pasted, in what CloudWatch takes', () => {
  const alarms = descriptionsOf(observe({ env: 'prod' }));
  expect(alarms.length).toBeGreaterThanOrEqual(12);
  for (const { name, description } of alarms) {
    const title = headings.find((each) => each.replaceAll(/\W/g, '').toLowerCase() === name.toLowerCase());
    expect(title, `${name} has a section of its name`).toBeDefined();
    const [meaning = '', ...rest] = description.split('\n\n');
    expect(meaning.length).toBeGreaterThan(20);
    const section = runbook.split(`## ${title}\n`)[1]?.split('\n## ')[0]?.trim() ?? '';
    expect(rest.slice(0, -1).join('\n\n')).toBe(
      section.replaceAll(/\$P\b/g, 'stepline-prod').replaceAll(/\$ENV\b/g, 'prod'),
    );
    expect(description).not.toMatch(/\$(P|ENV)\b/);
    expect(description.length).toBeLessThanOrEqual(1_024);
  }
});

test('alarms link to the dashboard, which has the whole runbook, unless it is kept elsewhere', () => {
  const template = observe({ env: 'prod' });
  const link =
    'https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/stepline-prod';
  for (const { description } of descriptionsOf(template))
    expect(description.endsWith(`\n\nRunbook: ${link}`)).toBe(true);
  const [dashboard] = propertiesOf(template, 'AWS::CloudWatch::Dashboard');
  expect(dashboard?.DashboardName).toBe('stepline-prod');
  const body = textOf(dashboard?.DashboardBody);
  for (const heading of headings) expect(body).toContain(`## ${heading}`);

  const anchors = headings.map((each) => each.toLowerCase().replaceAll(' ', '-'));
  const runbookUrl = 'https://wiki.example.com/stepline';
  for (const { description } of descriptionsOf(observe({ env: 'dev', runbookUrl })))
    expect(anchors).toContain(description.split(`\n\nRunbook: ${runbookUrl}#`)[1]);
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

test('a timekeeper that reports nothing is an alarm, though it may be invoked', () => {
  observe({ env: 'prod' }).hasResourceProperties('AWS::CloudWatch::Alarm', {
    Metrics: [
      Match.objectLike({
        MetricStat: {
          Metric: Match.objectLike({ Namespace: 'Stepline', MetricName: 'OutboxAge' }),
          Period: 60,
          Stat: 'SampleCount',
        },
      }),
    ],
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
    EvaluationPeriods: 5,
    TreatMissingData: 'breaching',
  });
});

test('a new dead letter is an alarm, though its minute’s gauges come late', () => {
  const found = propertiesOf(observe({ env: 'prod' }), 'AWS::CloudWatch::Alarm').filter(({ Metrics }) =>
    JSON.stringify(Metrics ?? '').includes('DIFF(held)'),
  );
  expect(found).toHaveLength(2);
  for (const each of found) expect(each).toMatchObject({ EvaluationPeriods: 5, DatapointsToAlarm: 1 });
});

test.each([
  [{ env: 'prod' }, 'Broker ID', false],
  [{ env: 'dev' }, 'Broker ID', true],
  [{ env: 'prod', kafka: 'serverless' }, 'Topic', false],
])('%j: Kafka’s graphs look for what MSK reports, by %s', (context, dimension, hasDisks) => {
  const [dashboard] = propertiesOf(observe(context), 'AWS::CloudWatch::Dashboard');
  const body = textOf(dashboard?.DashboardBody);
  expect(body).toContain(`{AWS/Kafka,\\"${dimension}\\",\\"Cluster Name\\"} MetricName=\\"BytesInPerSec\\"`);
  expect(body.includes('KafkaDataLogsDiskUsed')).toBe(hasDisks);
});
