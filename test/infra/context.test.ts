import { expect, test } from 'vitest';
import { ContextError } from '../../infra/config/read-context.ts';
import { readSettings } from '../../infra/config/read-settings.ts';

function problemsOf(context: Record<string, unknown>): string[] {
  try {
    readSettings(context);
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

test.each([
  [{ env: 'staging' }, ['env: expected one of local, dev, prod, but it is "staging". Example: -c env=prod']],
  [
    { stepBatchSize: '0' },
    ['stepBatchSize: expected a whole number from 1 to 10000, but it is "0". Example: -c stepBatchSize=100'],
  ],
  [
    { stepBatchSize: 1.5 },
    ['stepBatchSize: expected a whole number from 1 to 10000, but it is 1.5. Example: -c stepBatchSize=100'],
  ],
  [
    { databaseMinAcu: '0' },
    [
      'databaseMinAcu: expected a number from 0.5 to 256 in steps of 0.5, but it is "0". Example: -c databaseMinAcu=0.5',
    ],
  ],
  [{ waf: 'yes' }, ['waf: expected true or false, but it is "yes". Example: -c waf=true']],
  [
    { kafka: 'redpanda' },
    [
      'kafka: expected one of express, standard, serverless, existing, but it is "redpanda". Example: -c kafka=express',
    ],
  ],
  [
    { jwtJwksUrl: 'https://' },
    [
      'jwtJwksUrl: expected an https URL, but it is "https://". Example: -c jwtJwksUrl=https://login.example.com/.well-known/jwks.json',
    ],
  ],
  [
    { jwtJwksUrl: 'http://login.example.com' },
    [expect.stringMatching(/^jwtJwksUrl: expected an https URL, but it is "http:/)],
  ],
  [
    { tracing: 'true' },
    ['tracing: expected one of off, xray, adot, but it is "true". Example: -c tracing=off'],
  ],
  [
    { tracing: 'adot' },
    [
      expect.stringMatching(
        /^adotLayerArn: expected the ARN of a version of the layer AWSOpenTelemetryDistroJs .* but it is missing\. Example: -c adotLayerArn=arn:/,
      ),
    ],
  ],
  [
    {
      tracing: 'adot',
      adotLayerArn: 'arn:aws:lambda:eu-west-1:901920570463:layer:aws-otel-nodejs-amd64-ver-1-30-2:1',
    },
    [expect.stringMatching(/^adotLayerArn: expected the ARN of a version of .*, but it is "arn:aws:lambda:/)],
  ],
  [
    { adotLayerArn: 'arn:aws:lambda:eu-west-1:615299751070:layer:AWSOpenTelemetryDistroJs:10' },
    ['tracing: expected adot beside adotLayerArn, but it is "off". Example: -c tracing=adot'],
  ],
])('%j says what is allowed, and gives an example', (context, problems) => {
  expect(problemsOf(context)).toEqual(problems);
});

test('an existing VPC without private subnets lacks them by name, and everything that is wrong is told at once', () => {
  expect(problemsOf({ vpcId: 'vpc-0123456789abcdef0', stepBatchSize: 'many' })).toEqual([
    'stepBatchSize: expected a whole number from 1 to 10000, but it is "many". Example: -c stepBatchSize=100',
    expect.stringMatching(
      /^vpcAvailabilityZones: expected two zones or more, with commas, but it is missing\. Example: /,
    ),
    expect.stringMatching(
      /^vpcPrivateSubnetIds: expected the ids of private subnets .* but it is missing\. Example: /,
    ),
  ]);
});

test('a name that nobody reads is refused: it is a slip of the pen', () => {
  expect(problemsOf({ stepBatchsize: 10 })).toEqual([
    expect.stringMatching(/^stepBatchsize: no such value\. There are stepBatchSize, bridgeBatchSize,/),
  ]);
  expect(problemsOf({ 'aws:cdk:bundling-stacks': ['**'], '@aws-cdk/core:anything': true })).toEqual([]);
});

test.each([
  [
    { kafka: 'express', kafkaBrokerType: 'express.m7g.large', zones: 2 },
    /^zones: expected three zones beside kafka=express, whose brokers are in three, but there are 2/,
  ],
  [
    { kafka: 'express', zones: 3 },
    /^kafkaBrokerType: expected one that starts with express\. beside kafka=express, but it is "kafka.t3.small"/,
  ],
  [{ databaseMinAcu: 16 }, /^databaseMinAcu: expected at most databaseMaxAcu, 4, but it is 16/],
  [
    { apiDomainName: 'api.example.com' },
    /^apiCertificateArn: expected the ARN of its certificate .* but it is missing/,
  ],
  [
    {
      vpcId: 'vpc-0123456789abcdef0',
      vpcAvailabilityZones: 'eu-west-1a,eu-west-1b',
      vpcPrivateSubnetIds: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1,subnet-0123456789abcdef2',
    },
    /^vpcPrivateSubnetIds: expected as many for each of the 2 vpcAvailabilityZones, but they are 3/,
  ],
])('%j is wrong together', (context, problem) => {
  expect(problemsOf(context)).toEqual([expect.stringMatching(problem)]);
});

test('existing Kafka and an existing database are named in full', () => {
  expect(problemsOf({ kafka: 'existing', database: 'existing' }).map((each) => each.split(':')[0])).toEqual([
    'kafkaClusterArn',
    'kafkaSecurityGroupId',
    'databaseClusterIdentifier',
    'databaseEndpoint',
    'databaseResourceId',
    'databaseSecurityGroupId',
    'databaseSecretArn',
  ]);
});

test('values of the command line, which are text, are as good as those of cdk.json', () => {
  const fromText = readSettings({ env: 'prod', stepBatchSize: '100', waf: 'false', zones: '3' });
  expect(fromText).toEqual(readSettings({ env: 'prod', stepBatchSize: 100, waf: false, zones: 3 }));
  expect(fromText.options.stepBatchSize).toBe(100);
});
