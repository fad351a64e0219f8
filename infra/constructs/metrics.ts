import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { FunctionName } from '../config/function-profiles.ts';
import type { Settings } from '../config/settings.ts';
import type { DataStack } from '../stacks/data-stack.ts';
import type { FunctionsStack } from '../stacks/functions-stack.ts';
import { EVERY_MINUTE } from './alarms.ts';

export type Gauge = 'OutboxAge' | 'TimerLag' | 'OldestPendingRun' | 'DeadLetters' | 'GivenUpRecords';
type FunctionMetric = 'Errors' | 'Throttles' | 'Invocations' | 'Duration' | 'ConcurrentExecutions';
type MappingMetric = 'OffsetLag' | 'DroppedEventCount' | 'OnFailureDestinationDeliveredEventCount';

/** The metrics of one deployment, by what they tell. */
export class Metrics {
  readonly functionNames: readonly FunctionName[];
  readonly mappings: FunctionsStack['mappings'];
  readonly #settings: Settings;
  readonly #prefix: string;
  readonly #api: FunctionsStack['api'];
  readonly #database: DataStack['database'];

  constructor(settings: Settings, functions: FunctionsStack, data: DataStack) {
    this.#settings = settings;
    this.#prefix = settings.prefix;
    this.#api = functions.api;
    this.#database = data.database;
    this.functionNames = [...functions.functions.keys()];
    this.mappings = functions.mappings;
  }

  api(metricName: '5XXError' | '4XXError' | 'Count' | 'Latency', statistic: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: { ApiName: this.#api.api.restApiName, Stage: this.#api.api.deploymentStage.stageName },
      statistic,
    });
  }

  function(name: FunctionName, metricName: FunctionMetric, statistic = 'Sum'): cloudwatch.Metric {
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'AWS/Lambda',
      metricName,
      dimensionsMap: { FunctionName: `${this.#prefix}-${name}` },
      statistic,
      label: name,
    });
  }

  mapping(
    { source, mapping }: FunctionsStack['mappings'][number],
    metricName: MappingMetric,
    statistic: string,
  ): cloudwatch.Metric {
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'AWS/Lambda',
      metricName,
      dimensionsMap: { EventSourceMappingUUID: mapping.eventSourceMappingId },
      statistic,
      label: source.topic,
    });
  }

  /** What the timekeeper reports each minute. */
  gauge(metricName: Gauge, statistic = 'Maximum'): cloudwatch.Metric {
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'Stepline',
      metricName,
      dimensionsMap: { FunctionName: `${this.#prefix}-timekeeper` },
      statistic,
      label: metricName,
    });
  }

  /** Null without a proxy. */
  proxy(
    metricName:
      | 'DatabaseConnections'
      | 'ClientConnections'
      | 'DatabaseConnectionsCurrentlySessionPinned'
      | 'DatabaseConnectionsBorrowLatency',
  ): cloudwatch.Metric | null {
    if (this.#database === null) return null;
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'AWS/RDS',
      metricName,
      dimensionsMap: { ProxyName: this.#database.proxy.dbProxyName },
      statistic: 'Maximum',
    });
  }

  database(
    metricName: 'CPUUtilization' | 'ServerlessDatabaseCapacity' | 'FreeableMemory',
    statistic = 'Average',
  ): cloudwatch.Metric {
    return new cloudwatch.Metric({
      ...EVERY_MINUTE,
      namespace: 'AWS/RDS',
      metricName,
      dimensionsMap: this.#databaseDimensions(),
      statistic,
    });
  }

  /**
   * Of all brokers together, or of the worst. MSK reports by broker (serverless: by topic), and of no cluster as a whole.
   */
  kafka(
    metricName: 'BytesInPerSec' | 'BytesOutPerSec' | 'KafkaDataLogsDiskUsed',
    together: 'SUM' | 'MAX' = 'SUM',
  ): cloudwatch.MathExpression {
    const dimension = this.#settings.kafka.kind === 'serverless' ? 'Topic' : 'Broker ID';
    const search = `{AWS/Kafka,"${dimension}","Cluster Name"} MetricName="${metricName}" "Cluster Name"="${this.#kafkaName()}"`;
    return new cloudwatch.MathExpression({
      ...EVERY_MINUTE,
      expression: `${together}(SEARCH('${search}', 'Average', 60))`,
      usingMetrics: {},
      label: metricName,
    });
  }

  /** Only Standard brokers have disks of one's own. */
  get hasKafkaDisks(): boolean {
    return this.#settings.kafka.kind === 'standard';
  }

  #databaseDimensions(): Record<string, string> {
    const { database } = this.#settings;
    if (database.kind === 'instance') return { DBInstanceIdentifier: this.#prefix };
    const name = database.kind === 'existing' ? database.clusterIdentifier : this.#prefix;
    return { DBClusterIdentifier: name };
  }

  #kafkaName(): string {
    const { kafka } = this.#settings;
    // arn:…:cluster/name/uuid
    return (kafka.kind === 'existing' && kafka.clusterArn.split('/')[1]) || this.#prefix;
  }
}
