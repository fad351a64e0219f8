import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { gatewayResponses } from '../../shared/config/gateway-responses.ts';
import { deploy, propertiesOf } from './deployments.ts';

const { functions } = deploy({ env: 'prod', corsAllowedOrigins: 'https://app.example.com' });

describe('what API Gateway answers by itself', () => {
  const responses = propertiesOf(functions, 'AWS::ApiGateway::GatewayResponse');
  const find = (type: string) => responses.find(({ ResponseType }) => ResponseType === type);

  test('is in the API’s own error format, each with the id of its request', () => {
    expect(responses.map(({ ResponseType }) => ResponseType).toSorted()).toEqual(
      Object.keys(gatewayResponses).toSorted(),
    );
    for (const { ResponseTemplates, ResponseParameters } of responses) {
      const body = JSON.parse((ResponseTemplates as Record<string, string>)['application/json'] ?? '');
      expect(body).toEqual({
        success: false,
        message: expect.stringMatching(/^[A-Z][^"$]{10,}$/),
        error_code: expect.stringMatching(/^[A-Z_]+$/),
        details: { request_id: '$context.requestId' },
      });
      expect(ResponseParameters).toMatchObject({
        'gatewayresponse.header.X-Request-Id': 'context.requestId',
        'gatewayresponse.header.Cache-Control': "'no-store'",
        'gatewayresponse.header.Access-Control-Allow-Origin': "'https://app.example.com'",
      });
    }
  });

  test.each([
    ['REQUEST_TOO_LARGE', '413', 'PAYLOAD_TOO_LARGE'],
    ['INTEGRATION_TIMEOUT', '504', 'SERVICE_UNAVAILABLE'],
    ['MISSING_AUTHENTICATION_TOKEN', '404', 'NOT_FOUND'],
    ['WAF_FILTERED', '403', 'PERMISSION_DENIED'],
    ['THROTTLED', '429', 'RATE_LIMITED'],
  ])('%s is %s %s', (type, status, code) => {
    expect(find(type)).toMatchObject({
      StatusCode: status,
      ResponseTemplates: { 'application/json': expect.stringContaining(`"error_code":"${code}"`) },
    });
  });

  test('keeps each occasion’s status where one answer is for many', () => {
    expect(find('DEFAULT_4XX')).not.toHaveProperty('StatusCode');
    expect(find('DEFAULT_5XX')).not.toHaveProperty('StatusCode');
  });

  test('is read by no page where no page may call', () => {
    const closed = propertiesOf(deploy({ env: 'prod' }).functions, 'AWS::ApiGateway::GatewayResponse');
    expect(closed.length).toBe(responses.length);
    expect(JSON.stringify(closed)).not.toContain('Access-Control');
  });

  test('and so does the firewall, of a flood', () => {
    functions.hasResourceProperties('AWS::WAFv2::WebACL', {
      CustomResponseBodies: {
        flood: {
          Content: Match.serializedJson(Match.objectLike({ success: false, error_code: 'RATE_LIMITED' })),
        },
      },
      Rules: Match.arrayWith([
        Match.objectLike({
          Action: {
            Block: {
              CustomResponse: {
                ResponseCode: 429,
                CustomResponseBodyKey: 'flood',
                ResponseHeaders: Match.arrayWith([{ Name: 'Retry-After', Value: '60' }]),
              },
            },
          },
        }),
      ]),
    });
  });
});

test('bodies reach the function byte for byte', () => {
  functions.hasResourceProperties('AWS::ApiGateway::RestApi', { BinaryMediaTypes: ['*/*'] });
});

test('what API Gateway logs by itself is kept no longer than the rest', () => {
  functions.hasResourceProperties('AWS::Logs::LogGroup', {
    LogGroupName: { 'Fn::Join': ['', ['API-Gateway-Execution-Logs_', Match.anyValue(), '/live']] },
    RetentionInDays: 90,
  });
  const [group] = Object.entries(functions.findResources('AWS::Logs::LogGroup')).filter(
    ([, { Properties }]) => JSON.stringify(Properties).includes('API-Gateway-Execution-Logs_'),
  );
  functions.hasResource('AWS::ApiGateway::Stage', { DependsOn: Match.arrayWith([group?.[0]]) });
});

test('the access log finds a refusal by its request’s id, and has no path, which may authenticate', () => {
  functions.hasResourceProperties('AWS::ApiGateway::Stage', {
    AccessLogSetting: {
      Format: Match.serializedJson(
        Match.objectLike({
          requestId: '$context.requestId',
          gatewayResponse: '$context.error.responseType',
        }),
      ),
    },
  });
  const stages = JSON.stringify(propertiesOf(functions, 'AWS::ApiGateway::Stage'));
  expect(stages).not.toMatch(/\$context\.path|requestUri|identity\.apiKey/);
});

test('the function answers before API Gateway gives up', () => {
  functions.hasResourceProperties('AWS::Lambda::Function', {
    FunctionName: 'stepline-prod-api',
    Timeout: 28,
  });
  // Its default, 29 seconds.
  for (const { Integration } of propertiesOf(functions, 'AWS::ApiGateway::Method'))
    expect(Integration).not.toHaveProperty('TimeoutInMillis');
});
