import { expect, test } from 'vitest';
import { deploy, propertiesOf } from './deployments.ts';

const { functions, data, network } = deploy({ env: 'prod' });

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Of one function's role, by what they begin with: `kafka-cluster:`, `secretsmanager:` … */
function statementsOf(functionName: string, actions: string): Statement[] {
  const policies = Object.entries(functions.findResources('AWS::IAM::Policy'));
  const own = policies.filter(([id]) => id.startsWith(`${functionName}Role`));
  expect(own).toHaveLength(1);
  const statements = own.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
  return statements.filter(({ Action }) => [Action].flat().some((action) => action.startsWith(actions)));
}

function resourcesWith(functionName: string, action: string, service: string): string[] {
  const statements = statementsOf(functionName, service).filter(({ Action }) =>
    [Action].flat().includes(`${service}${action}`),
  );
  return statements.flatMap(({ Resource }) => [Resource].flat().map((each) => JSON.stringify(each)));
}

/** What an ARN ends with, after the cluster's own id. */
const lastPart = (arn: string) => /"\/([^"]+)"\]\]\}$/.exec(arn)?.[1];

test.each([
  ['HttpBridge', ['results.topic', 'workflow.dead-letter', 'workflow.on-failure']],
  [
    'StepExecutor',
    [
      'agent.*',
      'orchestrator.tasks.http',
      'orchestrator.tasks.lambda',
      'results.topic',
      'workflow.cancellation.requests',
      'workflow.dead-letter',
      'workflow.execution.requests',
      'workflow.monitoring.updates',
      'workflow.on-failure',
      'workflow.step.requests',
    ],
  ],
  [
    'Api',
    [
      'agent.*',
      'orchestrator.tasks.http',
      'orchestrator.tasks.lambda',
      'results.topic',
      'workflow.cancellation.requests',
      'workflow.execution.requests',
      'workflow.monitoring.updates',
      'workflow.step.requests',
    ],
  ],
])('%s writes to its own topics', (name, topics) => {
  expect(resourcesWith(name, 'WriteData', 'kafka-cluster:').map(lastPart).toSorted()).toEqual(topics);
});

test('a consumer reads its own topics in its own groups, and its pollers may do what the toolkit does not grant', () => {
  expect(resourcesWith('HttpBridge', 'ReadData', 'kafka-cluster:').map(lastPart)).toEqual([
    'orchestrator.tasks.http',
  ]);
  expect(resourcesWith('HttpBridge', 'AlterGroup', 'kafka-cluster:').map(lastPart)).toEqual([
    'stepline-prod.orchestrator.tasks.http',
  ]);
  for (const action of ['Connect', 'DescribeClusterDynamicConfiguration'])
    expect(resourcesWith('HttpBridge', action, 'kafka-cluster:')).toHaveLength(1);
  for (const action of ['DescribeClusterV2', 'GetBootstrapBrokers'])
    expect(resourcesWith('HttpBridge', action, 'kafka:')).toHaveLength(1);
  expect(resourcesWith('Api', 'ReadData', 'kafka-cluster:')).toEqual([]);
});

test('the API sees how far every consumer is behind, and takes part in none', () => {
  const groups = resourcesWith('Api', 'DescribeGroup', 'kafka-cluster:').map(lastPart);
  expect(groups).toHaveLength(6);
  expect(groups).toContain('stepline-prod.orchestrator.tasks.http');
  expect(resourcesWith('Api', 'DescribeTopic', 'kafka-cluster:').map(lastPart)).toContain('results.topic');
  expect(resourcesWith('Api', 'AlterGroup', 'kafka-cluster:')).toEqual([]);
});

test('the migration makes topics and nothing else does', () => {
  expect(resourcesWith('Migrate', 'CreateTopic', 'kafka-cluster:').length).toBeGreaterThan(8);
  for (const name of ['Api', 'StepExecutor', 'HttpBridge', 'Timekeeper'])
    expect(resourcesWith(name, 'CreateTopic', 'kafka-cluster:')).toEqual([]);
});

test.each([
  ['Api', 'stepline_api'],
  ['StepExecutor', 'stepline_step_executor'],
  ['HttpBridge', 'stepline_http_bridge'],
  ['Timekeeper', 'stepline_timekeeper'],
])('%s comes to the proxy as %s, and as nobody else', (name, user) => {
  const [arn, ...others] = resourcesWith(name, 'connect', 'rds-db:');
  expect(others).toEqual([]);
  expect(arn).toContain(`/${user}"`);
});

test('only the migration reads the administrator’s password, and connects directly', () => {
  expect(resourcesWith('Migrate', 'connect', 'rds-db:')).toEqual([]);
  const readers = ['Api', 'StepExecutor', 'HttpBridge', 'Timekeeper', 'Migrate'].filter((name) =>
    resourcesWith(name, 'GetSecretValue', 'secretsmanager:').some((arn) => arn.includes('MasterUserSecret')),
  );
  expect(readers).toEqual(['Migrate']);
});

test('the timekeeper reads no secret', () => {
  expect(statementsOf('Timekeeper', 'secretsmanager:')).toEqual([]);
});

test('a bridge hands work to itself and to no other function', () => {
  expect(resourcesWith('HttpBridge', 'InvokeFunction', 'lambda:')).toEqual([
    expect.stringContaining(':function:stepline-prod-http-bridge:live'),
  ]);
});

test('only functions that call agents over HTTP may go anywhere', () => {
  const callers = propertiesOf(functions, 'AWS::Lambda::Function').flatMap(({ FunctionName, VpcConfig }) =>
    JSON.stringify(VpcConfig ?? null).includes('SecurityGroupsAgentCallers') ? [FunctionName] : [],
  );
  expect(callers.toSorted()).toEqual(['stepline-prod-http-bridge', 'stepline-prod-step-executor']);
});

test('agents that are functions are invoked by their tag, or by a list, and no other function is', () => {
  const invoking = (template: typeof functions) =>
    Object.entries(template.findResources('AWS::IAM::Policy'))
      .filter(([id]) => id.startsWith('LambdaBridgeRole'))
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[])
      .filter(({ Action }) => [Action].flat().includes('lambda:InvokeFunction'));
  expect(invoking(functions)).toEqual([
    expect.objectContaining({ Resource: expect.anything() }),
    expect.objectContaining({ Condition: { StringEquals: { 'aws:ResourceTag/stepline:agent': 'true' } } }),
  ]);
  const arn = 'arn:aws:lambda:eu-west-1:111122223333:function:my-agent';
  const listed = invoking(deploy({ env: 'prod', agentFunctionArns: arn }).functions);
  expect(JSON.stringify(listed)).toContain(`"${arn}","${arn}:*"`);
  expect(listed.every(({ Condition }) => Condition === undefined)).toBe(true);
});

test('the proxy comes to the database as the functions’ users by IAM, over TLS', () => {
  data.hasResourceProperties('AWS::RDS::DBProxy', {
    RequireTLS: true,
    DefaultAuthScheme: 'IAM_AUTH',
    EngineFamily: 'POSTGRESQL',
  });
  const [policy] = propertiesOf(data, 'AWS::IAM::Policy');
  const users = JSON.stringify(policy).match(/stepline_\w+/g);
  expect(users?.toSorted()).toEqual([
    'stepline_api',
    'stepline_http_bridge',
    'stepline_lambda_bridge',
    'stepline_step_executor',
    'stepline_timekeeper',
  ]);
});

test('only functions reach the proxy and Kafka, each on its port; only the proxy and the migration reach the database', () => {
  const rules = propertiesOf(network, 'AWS::EC2::SecurityGroupIngress').map((rule) => {
    const group = (value: unknown) =>
      /SecurityGroups([A-Z][a-z]+(?:[A-Z][a-z]+)?)/.exec(JSON.stringify(value))?.[1];
    return `${group(rule.SourceSecurityGroupId)} -> ${group(rule.GroupId)} ${rule.FromPort}-${rule.ToPort}`;
  });
  expect(rules.toSorted()).toEqual([
    'AgentCallers -> Brokers 9098-9098',
    'AgentCallers -> Endpoints 443-443',
    'AgentCallers -> Proxy 5432-5432',
    'Brokers -> Brokers 9098-9098',
    'Brokers -> Endpoints 443-443',
    'Functions -> Brokers 9098-9098',
    'Functions -> Endpoints 443-443',
    'Functions -> Proxy 5432-5432',
    'Migrate -> Brokers 9098-9098',
    'Migrate -> Database 5432-5432',
    'Migrate -> Endpoints 443-443',
    'Proxy -> Database 5432-5432',
  ]);
  const open = propertiesOf(network, 'AWS::EC2::SecurityGroup').filter(
    (group) => group.SecurityGroupIngress !== undefined,
  );
  expect(open).toEqual([]);
});

test('functions reach the registry of agents and the keys of tokens on their ports', () => {
  const portsOf = (context: Readonly<Record<string, string>> = {}) =>
    propertiesOf(deploy({ env: 'prod', ...context }).network, 'AWS::EC2::SecurityGroup')
      .filter(({ GroupDescription }) =>
        /reach Kafka, the proxy and AWS services/.test(String(GroupDescription)),
      )
      .flatMap(({ SecurityGroupEgress }) => SecurityGroupEgress as { FromPort: number }[])
      .map(({ FromPort }) => FromPort);
  expect(portsOf()).toEqual([443]);
  expect(portsOf({ agentRegistryUrl: 'https://registry.example.com' })).toEqual([443]);
  expect(portsOf({ agentRegistryUrl: 'http://registry.example.com' })).toEqual([443, 80]);
  expect(portsOf({ agentRegistryUrl: 'https://registry.example.com:8443/agents' })).toEqual([443, 8443]);
  const jwtJwksUrl = 'https://login.example.com:8443/keys';
  expect(portsOf({ jwtJwksUrl })).toEqual([443, 8443]);
  // A group takes a rule once.
  expect(portsOf({ jwtJwksUrl, agentRegistryUrl: 'http://registry.example.com:8443' })).toEqual([443, 8443]);
});
