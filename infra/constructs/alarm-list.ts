import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { type AlarmSettings, EVERY_MINUTE } from './alarms.ts';
import type { Gauge, Metrics } from './metrics.ts';

/** A difference needs the value before it, and the gauges of a minute may come late. */
const once = { minutes: 5, badMinutes: 1 };

/** What users feel first, then what they are about to feel. */
export function alarmsOf(metrics: Metrics): AlarmSettings[] {
  const growth = (gauge: Gauge) =>
    new cloudwatch.MathExpression({
      ...EVERY_MINUTE,
      expression: 'DIFF(held)',
      usingMetrics: { held: metrics.gauge(gauge) },
      label: `New ${gauge}`,
    });
  const summed = (expression: string, usingMetrics: Record<string, cloudwatch.IMetric>) =>
    new cloudwatch.MathExpression({ ...EVERY_MINUTE, expression, usingMetrics });
  const ofFunctions = (metricName: 'Errors' | 'Throttles') =>
    Object.fromEntries(metrics.functionNames.map((name, i) => [`m${i}`, metrics.function(name, metricName)]));
  const borrowLatency = metrics.proxy('DatabaseConnectionsBorrowLatency');
  return [
    {
      name: 'ApiAnswersWithErrors',
      meaning: 'More than one request in a hundred is answered with 5xx.',
      metric: metrics.api('5XXError', 'Average'),
      threshold: 0.01,
      minutes: 5,
    },
    {
      name: 'ApiIsSlow',
      meaning: 'One request in a hundred takes more than two seconds.',
      metric: metrics.api('Latency', 'p99'),
      threshold: 2_000,
      minutes: 10,
    },
    {
      name: 'RunsDoNotBegin',
      meaning: 'A run that was accepted has been PENDING for more than five minutes.',
      metric: metrics.gauge('OldestPendingRun'),
      threshold: 300,
      minutes: 3,
    },
    {
      name: 'MessagesAreLeftBehind',
      meaning:
        'Messages are committed and have not reached Kafka for more than two minutes: runs stand still.',
      metric: metrics.gauge('OutboxAge'),
      threshold: 120,
      minutes: 3,
    },
    {
      name: 'TimersAreLate',
      meaning: 'Retries, waits and deadlines fire more than two minutes late.',
      metric: metrics.gauge('TimerLag'),
      threshold: 120,
      minutes: 3,
    },
    {
      name: 'TimekeeperDoesNotRun',
      meaning: 'Nothing fires timers, publishes what was left behind, or reports the other gauges.',
      // Its gauges, and not its invocations: one that cannot start, or reach the database, is invoked all the same.
      metric: metrics.gauge('OutboxAge', 'SampleCount'),
      threshold: 1,
      minutes: 5,
      comparison: 'below',
      missingIsBad: true,
    },
    {
      name: 'MappingsLagBehind',
      meaning: 'A topic of work has more than ten thousand records that no function has taken.',
      metric: summed(
        `MAX([${metrics.mappings.map((_, i) => `m${i}`).join(', ')}])`,
        Object.fromEntries(
          metrics.mappings.map((each, i) => [`m${i}`, metrics.mapping(each, 'OffsetLag', 'Maximum')]),
        ),
      ),
      threshold: 10_000,
      minutes: 10,
    },
    {
      name: 'RecordsAreDeadLetters',
      meaning: 'Records came that nobody can read, that name no run, or that are not authentic.',
      metric: growth('DeadLetters'),
      threshold: 0,
      ...once,
    },
    {
      name: 'RecordsAreGivenUp',
      meaning:
        'A mapping has given records up after days of trying: their runs stand still until they are redriven.',
      metric: growth('GivenUpRecords'),
      threshold: 0,
      ...once,
    },
    {
      name: 'FunctionsFail',
      meaning: 'Invocations fail: what they had to do comes again and again.',
      metric: summed(`SUM([${Object.keys(ofFunctions('Errors')).join(', ')}])`, ofFunctions('Errors')),
      threshold: 5,
      minutes: 5,
    },
    {
      name: 'FunctionsAreThrottled',
      meaning: 'Invocations are refused for want of concurrency: everything takes longer.',
      metric: summed(`SUM([${Object.keys(ofFunctions('Throttles')).join(', ')}])`, ofFunctions('Throttles')),
      threshold: 10,
      minutes: 5,
    },
    {
      name: 'DatabaseIsBusy',
      meaning: 'The database’s processors are more than 85 % busy: everything takes longer.',
      metric: metrics.database('CPUUtilization', 'Maximum'),
      threshold: 85,
      minutes: 10,
    },
    ...(borrowLatency === null
      ? []
      : [
          {
            name: 'ConnectionsRunOut',
            meaning: 'Functions wait more than a second for a connection to the database.',
            // Microseconds.
            metric: borrowLatency,
            threshold: 1_000_000,
            minutes: 3,
          },
        ]),
  ];
}
