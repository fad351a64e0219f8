import { describe, expect, test } from 'vitest';
import { deploy, propertiesOf } from './deployments.ts';

const layer = 'arn:aws:lambda:eu-west-1:615299751070:layer:AWSOpenTelemetryDistroJs:10';

function traced(context: Readonly<Record<string, string>>) {
  const { functions } = deploy({ env: 'prod', ...context });
  const own = propertiesOf(functions, 'AWS::Lambda::Function').filter(
    ({ FunctionName }) => FunctionName !== undefined,
  );
  expect(own).toHaveLength(7);
  const policies = Object.values(functions.findResources('AWS::IAM::Policy'));
  return {
    own,
    variables: own.flatMap((each) =>
      Object.entries((each.Environment as { Variables: Record<string, unknown> }).Variables).filter(
        ([name]) => /^OTEL_|EXEC_WRAPPER/.test(name),
      ),
    ),
    stages: propertiesOf(functions, 'AWS::ApiGateway::Stage').map(({ TracingEnabled }) => TracingEnabled),
    mayTrace: policies.filter((each) => JSON.stringify(each).includes('xray:PutTraceSegments')).length,
  };
}

describe('tracing', () => {
  test('off: nothing is recorded, and no function may', () => {
    const { own, variables, stages, mayTrace } = traced({ tracing: 'off' });
    for (const each of own) {
      expect(each.TracingConfig).toBeUndefined();
      expect(each.Layers).toBeUndefined();
    }
    expect([variables, stages, mayTrace]).toEqual([[], [false], 0]);
  });

  test('xray, as prod has it: Lambda and API Gateway record, and nothing is loaded', () => {
    const { own, variables, stages, mayTrace } = traced({});
    for (const each of own) {
      expect(each.TracingConfig).toEqual({ Mode: 'Active' });
      expect(each.Layers).toBeUndefined();
    }
    expect([variables, stages, mayTrace]).toEqual([[], [true], 7]);
  });

  test('adot: OpenTelemetry stands between, for traces only, and in the functions’ own names', () => {
    const { own, variables, stages, mayTrace } = traced({ tracing: 'adot', adotLayerArn: layer });
    for (const each of own) {
      expect(each).toMatchObject({
        TracingConfig: { Mode: 'Active' },
        Layers: [layer],
        Environment: {
          Variables: {
            AWS_LAMBDA_EXEC_WRAPPER: '/opt/otel-instrument',
            OTEL_AWS_LAMBDA_FAST_START: 'true',
            OTEL_AWS_APPLICATION_SIGNALS_ENABLED: 'false',
            // The wrapper appends to it.
            NODE_OPTIONS: expect.stringContaining('--enable-source-maps'),
          },
        },
      });
    }
    expect([variables.length, stages, mayTrace]).toEqual([3 * 7, [true], 7]);
  });
});
