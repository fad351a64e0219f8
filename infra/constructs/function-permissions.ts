import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { EventSource } from '../../shared/config/event-sources.ts';
import type { FunctionName, FunctionProfile } from '../config/function-profiles.ts';
import { userArn } from './database.ts';
import { aliasArn } from './service-function.ts';
import type { Surroundings } from './surroundings.ts';

const colonNames = ArnFormat.COLON_RESOURCE_NAME;

/** What a function may do, from its profile: its topics and groups, its secrets, its database user. */
export function permissionsOf(
  scope: Construct,
  name: FunctionName,
  profile: FunctionProfile,
  surroundings: Surroundings,
): iam.PolicyStatement[] {
  return [
    ...kafkaOf(name, profile, surroundings),
    ...databaseOf(scope, profile, surroundings),
    ...secretsOf(profile, surroundings),
    ...functionsOf(scope, name, profile, surroundings),
  ];
}

function kafkaOf(
  name: FunctionName,
  profile: FunctionProfile,
  surroundings: Surroundings,
): iam.PolicyStatement[] {
  const { kafkaAccess, topics, eventSources } = surroundings;
  if (kafkaAccess === null) return [];
  const sources = eventSources.filter((source: EventSource) => source.functionName === name);
  return [
    kafkaAccess.connect(),
    ...(profile.writes.length > 0 ? [kafkaAccess.write(profile.writes)] : []),
    ...(profile.needs.includes('topicAdministration') ? [kafkaAccess.makeTopics()] : []),
    ...(profile.needs.includes('gauges') ? [kafkaAccess.describe(['deadLetter', 'onFailure'])] : []),
    ...(profile.needs.includes('consumerLag')
      ? kafkaAccess.measureLag(
          eventSources.map(({ topic }) => topic),
          eventSources.map(({ consumerGroupId }) => consumerGroupId),
        )
      : []),
    ...(profile.needs.includes('redrive') ? kafkaAccess.readGivenUp(surroundings.redriveGroupId) : []),
    ...(sources.length > 0
      ? kafkaAccess.consume(
          sources.map(({ topic }) => topic),
          sources.map(({ consumerGroupId }) => consumerGroupId),
          topics.onFailure,
        )
      : []),
  ];
}

function databaseOf(scope: Construct, { databaseUser }: FunctionProfile, { database }: Surroundings) {
  if (database === null || databaseUser === null) return [];
  if (databaseUser === 'administrator') return [readSecret(database.server.administrator.secretArn)];
  // proxy:…:db-proxy:prx-0123 has the id that IAM knows the proxy by.
  const proxyId = Stack.of(scope).splitArn(database.proxy.dbProxyArn, colonNames).resourceName ?? '';
  return [
    new iam.PolicyStatement({
      actions: ['rds-db:connect'],
      resources: [userArn(scope, proxyId, databaseUser)],
    }),
  ];
}

function secretsOf({ needs }: FunctionProfile, { secrets }: Surroundings): iam.PolicyStatement[] {
  return [
    ...(needs.includes('secretKey') ? [readSecret(secrets.secretKeyArn)] : []),
    ...(needs.includes('jwt') && secrets.jwtSecretArn ? [readSecret(secrets.jwtSecretArn)] : []),
    ...(needs.includes('adminKey')
      ? [
          new iam.PolicyStatement({
            actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
            resources: [secrets.adminKeyArn],
          }),
        ]
      : []),
  ];
}

function functionsOf(
  scope: Construct,
  name: FunctionName,
  { needs }: FunctionProfile,
  { functionNameOf, agentFunctionArns }: Surroundings,
): iam.PolicyStatement[] {
  const itself = new iam.PolicyStatement({
    actions: ['lambda:InvokeFunction'],
    resources: [aliasArn(scope, functionNameOf(name))],
  });
  return [
    ...(needs.includes('itself') ? [itself] : []),
    ...(needs.includes('agentFunctions') ? [agentFunctions(scope, agentFunctionArns)] : []),
  ];
}

/** Those of the list, or those that their owners have tagged as agents. */
function agentFunctions(scope: Construct, arns: readonly string[] | undefined): iam.PolicyStatement {
  if (arns !== undefined) {
    return new iam.PolicyStatement({
      actions: ['lambda:InvokeFunction'],
      resources: arns.flatMap((arn) => [arn, `${arn}:*`]),
    });
  }
  return new iam.PolicyStatement({
    actions: ['lambda:InvokeFunction'],
    resources: [
      Stack.of(scope).formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: '*',
        arnFormat: colonNames,
      }),
    ],
    conditions: { StringEquals: { 'aws:ResourceTag/stepline:agent': 'true' } },
  });
}

function readSecret(arn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [arn] });
}
