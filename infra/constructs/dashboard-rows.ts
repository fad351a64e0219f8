import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Metrics } from './metrics.ts';

const WIDTH = 8;
const HEIGHT = 6;

/** From what users feel, by what they are about to feel, to what is paid for. */
export function dashboardRows(metrics: Metrics): cloudwatch.IWidget[][] {
  const graph = (title: string, left: (cloudwatch.IMetric | null)[], right: cloudwatch.IMetric[] = []) =>
    new cloudwatch.GraphWidget({
      title,
      width: WIDTH,
      height: HEIGHT,
      left: left.filter((metric) => metric !== null),
      right,
      leftYAxis: { min: 0 },
    });
  const ofFunctions = (metricName: Parameters<Metrics['function']>[1], statistic?: string) =>
    metrics.functionNames.map((name) => metrics.function(name, metricName, statistic));
  const ofMappings = (metricName: Parameters<Metrics['mapping']>[1], statistic: string) =>
    metrics.mappings.map((each) => metrics.mapping(each, metricName, statistic));
  return [
    [
      graph(
        'API: requests and failures',
        [metrics.api('Count', 'Sum')],
        [metrics.api('5XXError', 'Sum'), metrics.api('4XXError', 'Sum')],
      ),
      graph('API: latency', [metrics.api('Latency', 'p50'), metrics.api('Latency', 'p99')]),
      graph('Oldest run that has not begun (s)', [metrics.gauge('OldestPendingRun')]),
    ],
    [
      graph('Records that wait, by topic', ofMappings('OffsetLag', 'Maximum')),
      graph('Outbox age and timer lag (s)', [metrics.gauge('OutboxAge'), metrics.gauge('TimerLag')]),
      graph('Dead letters and given-up records', [
        metrics.gauge('DeadLetters'),
        metrics.gauge('GivenUpRecords'),
      ]),
    ],
    [
      graph('Invocations', ofFunctions('Invocations')),
      graph('Failures and throttles', ofFunctions('Errors'), ofFunctions('Throttles')),
      graph('Duration, p99 (ms)', ofFunctions('Duration', 'p99')),
    ],
    [
      graph(
        'Database: processors (%) and capacity (ACU)',
        [metrics.database('CPUUtilization')],
        [metrics.database('ServerlessDatabaseCapacity')],
      ),
      graph('Proxy: connections', [
        metrics.proxy('ClientConnections'),
        metrics.proxy('DatabaseConnections'),
        metrics.proxy('DatabaseConnectionsCurrentlySessionPinned'),
      ]),
      graph('Kafka: bytes in and out', [metrics.kafka('BytesInPerSec'), metrics.kafka('BytesOutPerSec')]),
    ],
    [
      graph('Cost: concurrent executions', ofFunctions('ConcurrentExecutions', 'Maximum')),
      graph('Cost: database capacity (ACU)', [metrics.database('ServerlessDatabaseCapacity', 'Average')]),
      ...(metrics.hasKafkaDisks
        ? [graph('Cost: Kafka’s fullest disk (%)', [metrics.kafka('KafkaDataLogsDiskUsed', 'MAX')])]
        : []),
    ],
  ];
}
