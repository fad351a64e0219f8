import type { MappingSettings } from '../event-source/mapping-settings.ts';
import { resourcesOf, type Template } from './template.ts';

interface MappingProperties {
  /** The alias, in some nesting of functions that takes its name apart. */
  readonly FunctionName: unknown;
  readonly Topics: readonly [string];
  readonly BatchSize: number;
  readonly MaximumBatchingWindowInSeconds: number;
  readonly StartingPosition: 'TRIM_HORIZON' | 'LATEST';
  readonly MaximumRetryAttempts: number;
  readonly MaximumRecordAgeInSeconds: number;
  readonly BisectBatchOnFunctionError: boolean;
  readonly FunctionResponseTypes?: readonly string[];
  readonly DestinationConfig: { readonly OnFailure: { readonly Destination: string } };
  readonly SelfManagedKafkaEventSourceConfig?: { readonly ConsumerGroupId: string };
  readonly AmazonManagedKafkaEventSourceConfig?: { readonly ConsumerGroupId: string };
}

export interface DeployedMapping extends MappingSettings {
  /** Of the function: whatever version it stands for gets the records. */
  readonly alias: string;
}

/** The event source mappings of a stack, to be polled by our emulation: no emulator of AWS polls Kafka. */
export function deployedMappings(template: Template): DeployedMapping[] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map(([id, found]) => {
    const properties = found as unknown as MappingProperties;
    const { ConsumerGroupId: consumerGroupId } =
      properties.SelfManagedKafkaEventSourceConfig ?? properties.AmazonManagedKafkaEventSourceConfig ?? {};
    if (consumerGroupId === undefined) throw new Error(`The mapping ${id} has no consumer group`);
    return {
      topic: properties.Topics[0],
      ...aliasOf(template, referenceIn(properties.FunctionName)),
      consumerGroupId,
      batchSize: properties.BatchSize,
      maximumBatchingWindowInMs: properties.MaximumBatchingWindowInSeconds * 1_000,
      startingPosition: properties.StartingPosition,
      maximumRetryAttempts: properties.MaximumRetryAttempts,
      maximumRecordAgeInSeconds: properties.MaximumRecordAgeInSeconds,
      bisectBatchOnFunctionError: properties.BisectBatchOnFunctionError,
      reportBatchItemFailures: properties.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
      onFailureTopic: properties.DestinationConfig.OnFailure.Destination.replace(/^kafka:\/\//, ''),
    };
  });
}

function referenceIn(value: unknown): string {
  return /"Ref":"([^"]+)"/.exec(JSON.stringify(value))?.[1] ?? '';
}

function aliasOf({ resources }: Template, id: string): { functionName: string; alias: string } {
  const { FunctionName: reference, Name: alias } = resources[id]?.Properties ?? {};
  const functionName =
    resources[(reference as { Ref?: string } | undefined)?.Ref ?? '']?.Properties.FunctionName;
  if (typeof functionName !== 'string' || typeof alias !== 'string')
    throw new Error(`${id} is no alias of a function with a name`);
  return { functionName, alias };
}
