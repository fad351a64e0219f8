import { type App, Tags } from 'aws-cdk-lib';
import type { Settings } from './config/settings.ts';
import { DataStack } from './stacks/data-stack.ts';
import { FunctionsStack } from './stacks/functions-stack.ts';
import { KafkaStack } from './stacks/kafka-stack.ts';
import { NetworkStack } from './stacks/network-stack.ts';

export interface Stepline {
  readonly network: NetworkStack | null;
  readonly data: DataStack;
  readonly kafka: KafkaStack | null;
  readonly functions: FunctionsStack;
}

/** The stacks of one environment, for whatever account and region they are deployed to. */
export function createStepline(app: App, settings: Settings): Stepline {
  const network = settings.network.kind === 'none' ? null : new NetworkStack(app, 'Network', settings);
  const data = new DataStack(app, 'Data', settings, network);
  const kafka =
    network === null || settings.kafka.kind === 'brokers'
      ? null
      : new KafkaStack(app, 'Kafka', settings, network);
  const functions = new FunctionsStack(app, 'Functions', { settings, network, data, kafka });
  Tags.of(app).add('stepline:environment', settings.environment);
  return { network, data, kafka, functions };
}
