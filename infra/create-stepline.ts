import { type App, Tags } from 'aws-cdk-lib';
import type { Settings } from './config/settings.ts';
import { DataStack } from './stacks/data-stack.ts';
import { FunctionsStack } from './stacks/functions-stack.ts';
import { KafkaStack } from './stacks/kafka-stack.ts';
import { NetworkStack } from './stacks/network-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';

export interface Stepline {
  readonly network: NetworkStack | null;
  readonly data: DataStack;
  readonly kafka: KafkaStack | null;
  readonly functions: FunctionsStack;
  /** Null on an emulator, which has nobody to wake. */
  readonly observability: ObservabilityStack | null;
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
  const observability =
    settings.environment === 'local'
      ? null
      : new ObservabilityStack(app, 'Observability', { settings, functions, data });
  Tags.of(app).add('stepline:environment', settings.environment);
  return { network, data, kafka, functions, observability };
}
