import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { functionProfiles } from '../../infra/config/function-profiles.ts';
import { bundleBytes, bundleFunction } from '../../infra/constructs/bundle.ts';
import { deployedFunctions } from '../../localstack/template/deployed-functions.ts';
import { readTemplate } from '../../localstack/template/template.ts';
import { createDeployment } from '../support/synthesise.ts';
import { deploy, propertiesOf } from './deployments.ts';

const prod = deploy({ env: 'prod' });
const own = (template = prod.functions) =>
  propertiesOf(template, 'AWS::Lambda::Function').filter(({ FunctionName }) => FunctionName !== undefined);

test('all run on Node 24 and ARM64, in private subnets, log JSON, and are called by their alias', () => {
  expect(own().length).toBeGreaterThanOrEqual(5);
  for (const properties of own()) {
    expect(properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      LoggingConfig: { LogFormat: 'JSON' },
      VpcConfig: { SubnetIds: [expect.anything(), expect.anything(), expect.anything()] },
    });
  }
  prod.functions.resourceCountIs('AWS::Lambda::Alias', own().length - 1);
  for (const { RetentionInDays } of propertiesOf(prod.functions, 'AWS::Logs::LogGroup'))
    expect(RetentionInDays).toBe(90);
});

test('versions stay when others follow, so that an alias can go back', () => {
  const versions = Object.values(prod.functions.findResources('AWS::Lambda::Version'));
  expect(versions.length).toBe(own().length);
  for (const { DeletionPolicy } of versions) expect(DeletionPolicy).toBe('Retain');
});

test('concurrency is reserved for every partition in prod, and nowhere in dev, whose account may have none to reserve', () => {
  const reserved = Object.fromEntries(
    own().map(({ FunctionName, ReservedConcurrentExecutions }) => [
      FunctionName,
      ReservedConcurrentExecutions,
    ]),
  );
  expect(reserved).toMatchObject({
    'stepline-prod-api': 200,
    'stepline-prod-step-executor': 4 * 24,
    'stepline-prod-http-bridge': 24 + 100,
    'stepline-prod-timekeeper': 2,
    'stepline-prod-migrate': 1,
  });
  const dev = own(deploy({ env: 'dev' }).functions).map((each) => each.ReservedConcurrentExecutions);
  expect(new Set(dev)).toEqual(new Set([undefined]));
});

test('every function of every environment has the same variables, but for how servers are reached', () => {
  const servers = ['DATABASE_AUTH', 'DATABASE_SECRET_ARN', 'NODE_EXTRA_CA_CERTS', 'AGENT_ALLOWED_CIDRS'];
  const namesOf = (env: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'stepline-env-'));
    try {
      const { app } = createDeployment({ env }, { outdir: folder });
      app.synth();
      const functions = deployedFunctions(readTemplate(folder, 'Functions'));
      return functions.map(({ name, env: variables }) => [
        name.replace(`stepline-${env}-`, ''),
        Object.keys(variables)
          .filter((each) => !servers.includes(each))
          .toSorted(),
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  expect(namesOf('prod')).toEqual(namesOf('local'));
});

test('limits, retention, quick calls and the agent registry go to the functions that need them, and only where they are chosen', () => {
  const chosen = {
    maxStepsPerRun: 500,
    maxRunDepth: 3,
    maxMapItems: 50,
    runTimeoutSeconds: 86_400,
    auditRetentionDays: 90,
    runRetentionDays: 60,
    agentRegistryUrl: 'https://registry.example.com',
    quickCallPatienceMs: 200,
    stepsPerInvocation: 4,
    maxStepsPerInvocation: 8,
  };
  const variables = [
    'MAX_STEPS_PER_RUN',
    'MAX_RUN_DEPTH',
    'MAX_MAP_ITEMS',
    'RUN_TIMEOUT_SECONDS',
    'AUDIT_RETENTION_DAYS',
    'RUN_RETENTION_DAYS',
    'AGENT_REGISTRY_URL',
    'QUICK_CALL_PATIENCE_MS',
    'STEPS_PER_INVOCATION',
    'MAX_STEPS_PER_INVOCATION',
  ];
  const givenTo = (template: typeof prod.functions) =>
    Object.fromEntries(
      own(template).map(({ FunctionName, Environment }) => {
        const entries = Object.entries((Environment as { Variables: Record<string, unknown> }).Variables);
        const found = entries.filter(([name]) => variables.includes(name));
        return [String(FunctionName).replace('stepline-prod-', ''), Object.fromEntries(found)];
      }),
    );
  const registry = { AGENT_REGISTRY_URL: 'https://registry.example.com' };
  const engine = {
    MAX_STEPS_PER_RUN: '500',
    MAX_RUN_DEPTH: '3',
    MAX_MAP_ITEMS: '50',
    RUN_TIMEOUT_SECONDS: '86400',
    ...registry,
  };
  expect(givenTo(deploy({ env: 'prod', ...chosen }).functions)).toEqual({
    api: engine,
    'step-executor': {
      ...engine,
      QUICK_CALL_PATIENCE_MS: '200',
      STEPS_PER_INVOCATION: '4',
      MAX_STEPS_PER_INVOCATION: '8',
    },
    'http-bridge': registry,
    'lambda-bridge': registry,
    timekeeper: { AUDIT_RETENTION_DAYS: '90', RUN_RETENTION_DAYS: '60', ...registry },
    migrate: {},
    redrive: {},
  });
  expect(new Set(Object.values(givenTo(prod.functions)).map((each) => Object.keys(each).length))).toEqual(
    new Set([0]),
  );
});

test('the API is throttled, logged, behind a firewall, and a release goes to a tenth of the requests first', () => {
  prod.functions.hasResourceProperties('AWS::ApiGateway::Stage', {
    AccessLogSetting: Match.anyValue(),
    MethodSettings: [
      Match.objectLike({ ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 2_000, DataTraceEnabled: false }),
    ],
    TracingEnabled: true,
  });
  prod.functions.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1);
  prod.functions.hasResourceProperties('AWS::CodeDeploy::DeploymentGroup', {
    DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
    AutoRollbackConfiguration: { Enabled: true, Events: Match.arrayWith(['DEPLOYMENT_STOP_ON_ALARM']) },
    AlarmConfiguration: { Enabled: true, Alarms: [Match.anyValue(), Match.anyValue()] },
  });
  const aliases = Object.entries(prod.functions.findResources('AWS::Lambda::Alias'));
  const gradual = aliases.filter(
    ([, { UpdatePolicy }]) => UpdatePolicy?.CodeDeployLambdaAliasUpdate !== undefined,
  );
  expect(gradual.map(([id]) => id)).toEqual([expect.stringMatching(/^ApiAlias/)]);
});

test('a domain of one’s own is the only way in, and what callbacks begin with', () => {
  const { functions } = deploy({
    env: 'prod',
    apiDomainName: 'api.example.com',
    apiCertificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/uuid',
  });
  functions.hasResourceProperties('AWS::ApiGateway::RestApi', { DisableExecuteApiEndpoint: true });
  functions.hasResourceProperties('AWS::ApiGateway::DomainName', { SecurityPolicy: 'TLS_1_2' });
  functions.hasResourceProperties('AWS::Lambda::Function', {
    FunctionName: 'stepline-prod-http-bridge',
    Environment: { Variables: Match.objectLike({ PUBLIC_URL: 'https://api.example.com' }) },
  });
});

test('an emulator serves the API at its own address, and only it is named so', () => {
  const urlOf = (context: Record<string, unknown>) => {
    const { functions } = createDeployment({ ...context, emulatorUrl: 'http://127.0.0.1:4599' }).stepline;
    const [[, output] = []] = Object.entries(Template.fromStack(functions).findOutputs('ApiUrl'));
    return output?.Value;
  };
  const api = { Ref: expect.stringMatching(/^RestApi/) };
  expect(urlOf({ env: 'local' })).toEqual({
    'Fn::Join': ['', ['http://127.0.0.1:4599/_aws/execute-api/', api, '/live']],
  });
  expect(urlOf({ env: 'dev' })).toEqual({
    'Fn::Join': ['', expect.arrayContaining(['https://', api, '.execute-api.'])],
  });
});

test('the timekeeper is started each minute, and what it missed is not made up for', () => {
  prod.functions.hasResourceProperties('AWS::Events::Rule', {
    ScheduleExpression: 'rate(1 minute)',
    Targets: [Match.objectLike({ RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 } })],
  });
  for (const config of propertiesOf(prod.functions, 'AWS::Lambda::EventInvokeConfig'))
    expect(config.MaximumRetryAttempts).toBe(0);
});

describe('bundles', () => {
  const names = Object.entries(functionProfiles);
  test.each(names)('%s stays within its budget', (name, { bundleBudgetKib }) => {
    const kib = bundleBytes(bundleFunction(name)) / 1024;
    expect(kib).toBeLessThan(bundleBudgetKib);
    // A budget that is far above says nothing.
    expect(kib).toBeGreaterThan(bundleBudgetKib * 0.75);
  });
});
