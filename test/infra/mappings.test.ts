import { expect, test } from 'vitest';
import { deploy, propertiesOf } from './deployments.ts';

const MAPPING = 'AWS::Lambda::EventSourceMapping';
const prod = deploy({ env: 'prod', stepBatchSize: 100, bridgeBatchSize: 20 });
const bridges = ['http', 'lambda'];

test('each topic of work has one mapping, with a group and a batch size of its own', () => {
  const mappings = propertiesOf(prod.functions, MAPPING).map((each) => [
    (each.Topics as string[])[0],
    each.BatchSize,
    (each.AmazonManagedKafkaEventSourceConfig as { ConsumerGroupId: string }).ConsumerGroupId,
  ]);
  expect(mappings.toSorted()).toEqual([
    ...bridges.map((kind) => [`orchestrator.tasks.${kind}`, 20, `stepline-prod.orchestrator.tasks.${kind}`]),
    ['results.topic', 100, 'stepline-prod.results.topic'],
    ['workflow.cancellation.requests', 100, 'stepline-prod.workflow.cancellation.requests'],
    ['workflow.execution.requests', 100, 'stepline-prod.workflow.execution.requests'],
    ['workflow.step.requests', 100, 'stepline-prod.workflow.step.requests'],
  ]);
});

test('a batch does not wait, fails in part, is divided, and is given up late and to a topic', () => {
  for (const mapping of propertiesOf(prod.functions, MAPPING)) {
    expect(mapping).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      MaximumBatchingWindowInSeconds: 0,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 10_000,
      MaximumRecordAgeInSeconds: 518_400,
      DestinationConfig: { OnFailure: { Destination: 'kafka://workflow.on-failure' } },
    });
  }
});

test('all mappings share one group of pollers, enough of them for every partition at once', () => {
  for (const mapping of propertiesOf(prod.functions, MAPPING)) {
    expect(mapping.ProvisionedPollerConfig).toEqual({
      MinimumPollers: 1,
      // 24 partitions, five invocations a poller.
      MaximumPollers: 5,
      PollerGroupName: 'stepline-prod',
    });
  }
});

test('no work arrives, and no new code takes any, before the migration has gone well', () => {
  const waiting = ['AWS::Lambda::EventSourceMapping', 'AWS::Lambda::Alias', 'AWS::Events::Rule'];
  for (const type of waiting) {
    const found = Object.entries(prod.functions.findResources(type)).filter(
      ([id]) => !id.startsWith('Migrate'),
    );
    expect(found.length).toBeGreaterThan(0);
    for (const [id, resource] of found)
      expect([id, resource.DependsOn]).toEqual([id, expect.arrayContaining(['Migration'])]);
  }
  prod.functions.hasResourceProperties('Custom::Trigger', {
    InvocationType: 'RequestResponse',
    Timeout: '840000',
  });
});
