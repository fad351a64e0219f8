import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as triggers from 'aws-cdk-lib/triggers';
import type { Construct } from 'constructs';
import { type EventSource, eventSourcesOf } from '../../shared/config/event-sources.ts';
import { type Topics, topicsFor } from '../../shared/config/topics.ts';
import {
  type FunctionName,
  functionProfiles,
  type ReservedConcurrency,
} from '../config/function-profiles.ts';
import { retentionOf } from '../config/retention.ts';
import type { Settings } from '../config/settings.ts';
import { acknowledge } from '../constructs/acknowledge.ts';
import { asFunction } from '../constructs/as-interface.ts';
import { type Cluster, KafkaMapping } from '../constructs/event-source.ts';
import { type Addresses, environmentOf } from '../constructs/function-environment.ts';
import { permissionsOf } from '../constructs/function-permissions.ts';
import { GradualRelease } from '../constructs/gradual-release.ts';
import { KafkaAccess } from '../constructs/kafka-access.ts';
import { RestApi } from '../constructs/rest-api.ts';
import { ServiceFunction } from '../constructs/service-function.ts';
import type { Surroundings } from '../constructs/surroundings.ts';
import { type Tracing, tracingOf } from '../constructs/tracing.ts';
import type { DataStack } from './data-stack.ts';
import type { KafkaStack } from './kafka-stack.ts';
import type { NetworkStack } from './network-stack.ts';

export interface FunctionsStackProps {
  readonly settings: Settings;
  readonly network: NetworkStack | null;
  readonly data: DataStack;
  readonly kafka: KafkaStack | null;
}

/** The functions, what invokes them, and the API. What a release changes is here and nowhere else. */
export class FunctionsStack extends Stack {
  readonly functions = new Map<FunctionName, ServiceFunction>();
  readonly mappings: { readonly source: EventSource; readonly mapping: lambda.EventSourceMapping }[] = [];
  readonly api: RestApi;

  constructor(scope: Construct, id: string, props: FunctionsStackProps) {
    const { settings } = props;
    super(scope, id, {
      stackName: `${settings.prefix}-functions`,
      description: 'Stepline: functions and API',
    });
    this.api = new RestApi(this, 'RestApi', {
      name: settings.prefix,
      options: settings.options,
      retention: retentionOf(settings.options.logRetentionDays),
      emulatorUrl: settings.environment === 'local' ? settings.options.emulatorUrl : undefined,
    });
    const surroundings = surroundingsOf(props);
    const addresses = { kafkaBrokers: brokersOf(props), publicUrl: this.api.url };
    const tracing = tracingOf(this, 'TracingLayer', settings.options);
    for (const name of Object.keys(functionProfiles).filter(isFunctionName)) {
      this.functions.set(name, this.#makeFunction(name, { ...props, tracing }, surroundings, addresses));
    }
    this.#connect(props, surroundings);
    new CfnOutput(this, 'ApiUrl', { value: this.api.url, description: 'Where the API is' });
  }

  #makeFunction(
    name: FunctionName,
    { settings, network, tracing }: FunctionsStackProps & { readonly tracing: Tracing },
    surroundings: Surroundings,
    addresses: Addresses,
  ): ServiceFunction {
    const profile = functionProfiles[name];
    const { options } = settings;
    return new ServiceFunction(this, pascalCase(name), {
      name,
      functionName: surroundings.functionNameOf(name),
      profile,
      environment: environmentOf(profile, settings, surroundings, addresses),
      permissions: permissionsOf(this, name, profile, surroundings),
      reservedConcurrency: options.reservedConcurrency
        ? concurrencyOf(
            profile.reservedConcurrency,
            surroundings.eventSources.filter((each) => each.functionName === name).length *
              options.kafkaPartitions,
          )
        : undefined,
      network: network && { vpc: network.vpc, group: network.groups.functions[profile.reaches] },
      tracing,
      retention: retentionOf(options.logRetentionDays),
    });
  }

  /** Everything that brings work to the functions waits until the migration has gone well. */
  #connect(props: FunctionsStackProps, { topics, eventSources }: Surroundings): void {
    const { settings } = props;
    const after: Construct[] = [];
    for (const source of eventSources) {
      const target = this.#function(source.functionName);
      const cluster = clusterOf(props);
      const id = `${pascalCase(source.topic.replace(settings.options.kafkaTopicPrefix ?? '', ''))}Mapping`;
      const onFailureTopic = topics.onFailure;
      const { mapping } = new KafkaMapping(this, id, {
        source,
        target: asFunction(target.alias),
        cluster,
        onFailureTopic,
      });
      this.mappings.push({ source, mapping });
      after.push(mapping);
    }
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'The timekeeper looks for a minute; two may overlap',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(asFunction(this.#function('timekeeper').alias), {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(1),
        }),
      ],
    });
    acknowledge(everyMinute, {
      'Serverless-EventBusDLQ':
        'A minute that was missed is made up for by the next; an alarm watches the timekeeper.',
    });
    const api = this.#function('api');
    this.api.serve(asFunction(api.alias));
    if (settings.options.canary)
      new GradualRelease(this, 'GradualRelease', { function: api, api: this.api.api });
    const aliases = [...this.functions].flatMap(([name, each]) => (name === 'migrate' ? [] : [each.alias]));
    new triggers.Trigger(this, 'Migration', {
      handler: this.#function('migrate').function,
      timeout: Duration.seconds(functionProfiles.migrate.timeoutSeconds),
      executeBefore: [...after, everyMinute, ...aliases],
      executeOnHandlerChange: true,
    });
  }

  #function(name: FunctionName): ServiceFunction {
    const found = this.functions.get(name);
    if (found === undefined) throw new Error(`There is no functions/${name}/index.ts`);
    return found;
  }
}

function surroundingsOf({ settings, data, kafka }: FunctionsStackProps): Surroundings {
  const { options, prefix } = settings;
  const topics = topicsOf(settings);
  const { stepBatchSize, bridgeBatchSize } = options;
  return {
    topics,
    eventSources: eventSourcesOf(topics, prefix, { stepBatchSize, bridgeBatchSize }),
    kafkaAccess: kafka === null ? null : new KafkaAccess(kafka.clusterArn, topics),
    database: data.database,
    secrets: {
      secretKeyArn: data.secretKey.secretArn,
      adminKeyArn: data.adminKey.secretArn,
      jwtSecretArn: options.jwtSecretArn,
    },
    redriveGroupId: `${prefix}.redrive`,
    functionNameOf: (name) => `${prefix}-${name}`,
    agentFunctionArns: options.agentFunctionArns,
  };
}

function topicsOf({ options }: Settings): Topics {
  return topicsFor({
    prefix: options.kafkaTopicPrefix ?? '',
    executionTopic: 'workflow.execution.requests',
    cancellationTopic: 'workflow.cancellation.requests',
  });
}

function brokersOf({ settings, kafka }: FunctionsStackProps): string {
  if (kafka !== null) return kafka.brokers;
  return settings.kafka.kind === 'brokers' ? settings.kafka.brokers.join(',') : '';
}

function clusterOf({ settings, kafka }: FunctionsStackProps): Cluster {
  if (kafka === null) return { brokers: settings.kafka.kind === 'brokers' ? settings.kafka.brokers : [] };
  const { kafkaPartitions: partitions } = settings.options;
  return { arn: kafka.clusterArn, pollerGroup: settings.prefix, partitions };
}

/** @param invocations that its mappings make at once */
function concurrencyOf(reserved: ReservedConcurrency, invocations: number): number | undefined {
  if (reserved === null) return undefined;
  return typeof reserved === 'number' ? reserved : invocations + reserved.spare;
}

function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(functionProfiles, name);
}

function pascalCase(name: string): string {
  return name
    .split(/[^a-z0-9]+/i)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
