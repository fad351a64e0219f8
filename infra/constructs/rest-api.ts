import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import {
  type GatewayResponse,
  gatewayResponseBody,
  gatewayResponseHeaders,
  gatewayResponses,
} from '../../shared/config/gateway-responses.ts';
import type { Options } from '../config/settings.ts';
import { acknowledge } from './acknowledge.ts';
import { WebFirewall } from './web-firewall.ts';

export interface StageApiProps {
  readonly name: string;
  readonly options: Options;
  readonly retention: logs.RetentionDays;
  /** Of an emulator, which serves all APIs by their ids; undefined: AWS gives each a name of its own. */
  readonly emulatorUrl: string | undefined;
}

const STAGE = 'live';

/** A REST API, since it can stream answers, with one proxy resource: routes, keys and bodies are the function's affair. */
export class RestApi extends Construct {
  readonly api: apigateway.RestApi;
  /** Without a trailing slash. It does not name the stage's resource, which waits for the function that asks for it. */
  readonly url: string;

  constructor(scope: Construct, id: string, { name, options, retention, emulatorUrl }: StageApiProps) {
    super(scope, id);
    const { apiDomainName: domainName, apiCertificateArn } = options;
    const accessLogs = new logs.LogGroup(this, 'AccessLogs', {
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.api = new apigateway.RestApi(this, 'Api', {
      restApiName: name,
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      // Bodies reach the function byte for byte, as base64: what is not UTF-8 would be replaced otherwise, and not refused.
      binaryMediaTypes: ['*/*'],
      // Of the whole account and region: without it API Gateway writes no logs. It stays when this stack goes.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      disableExecuteApiEndpoint: domainName !== undefined,
      deployOptions: {
        stageName: STAGE,
        throttlingRateLimit: options.apiThrottleRate,
        throttlingBurstLimit: options.apiThrottleBurst,
        tracingEnabled: options.tracing !== 'off',
        metricsEnabled: true,
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        accessLogDestination: new apigateway.LogGroupLogDestination(accessLogs),
        accessLogFormat: accessLogFormat(),
      },
      ...(domainName !== undefined &&
        apiCertificateArn !== undefined && {
          domainName: {
            domainName,
            certificate: acm.Certificate.fromCertificateArn(this, 'Certificate', apiCertificateArn),
            securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
          },
        }),
    });
    acknowledge(this.api, {
      'AwsSolutions-APIG2':
        'The function validates every request, and says which field is wrong and what was expected.',
      'AwsSolutions-APIG4':
        'The function authenticates every request by API key or JWT; only /health is open.',
      'AwsSolutions-COG4': 'The function authenticates every request; tokens may be of any issuer.',
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]':
        'The account’s role for API Gateway’s logs, as AWS documents it.',
      ...(!options.waf && { 'AwsSolutions-APIG3': 'A cheap environment; -c waf=true adds the firewall.' }),
      ...(options.tracing === 'off' && {
        'Serverless-APIGWXrayEnabled': 'A cheap environment; -c tracing=xray traces requests.',
      }),
    });
    // Before API Gateway makes it itself, to be kept for ever.
    const executionLogs = new logs.LogGroup(this, 'ExecutionLogs', {
      logGroupName: `API-Gateway-Execution-Logs_${this.api.restApiId}/${STAGE}`,
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.api.deploymentStage.node.addDependency(executionLogs);
    this.#answerByItself(options.corsAllowedOrigins ?? '');
    this.url = domainName === undefined ? this.#urlOfStage(emulatorUrl) : `https://${domainName}`;
    if (options.waf) {
      new WebFirewall(this, 'Firewall', {
        stageArn: this.api.deploymentStage.stageArn,
        requestsPerFiveMinutes: options.wafRequestsPerFiveMinutes,
        corsAllowedOrigins: options.corsAllowedOrigins ?? '',
      });
    }
  }

  /** What the function never sees is answered in the API's own format. */
  #answerByItself(corsAllowedOrigins: string): void {
    for (const [type, response] of Object.entries(gatewayResponses)) {
      this.api.addGatewayResponse(type, {
        type: apigateway.ResponseType.of(type),
        ...(response.status !== null && { statusCode: String(response.status) }),
        responseHeaders: headersOf(response, corsAllowedOrigins),
        templates: {
          'application/json': JSON.stringify(gatewayResponseBody(response, '$context.requestId')),
        },
      });
    }
  }

  #urlOfStage(emulatorUrl: string | undefined): string {
    const { restApiId } = this.api;
    if (emulatorUrl !== undefined) return `${emulatorUrl}/_aws/execute-api/${restApiId}/${STAGE}`;
    const { region, urlSuffix } = Stack.of(this);
    return `https://${restApiId}.execute-api.${region}.${urlSuffix}/${STAGE}`;
  }

  /** Every request to it. */
  serve(target: lambda.IFunction): void {
    const integration = new apigateway.LambdaIntegration(target, { allowTestInvoke: false });
    this.api.root.addMethod('ANY', integration);
    this.api.root.addProxy({ anyMethod: true, defaultIntegration: integration });
  }
}

/** Literal values stand in quotes; what stands in none is looked up. */
function headersOf(response: GatewayResponse, corsAllowedOrigins: string): Record<string, string> {
  const literal = Object.entries(gatewayResponseHeaders(response, corsAllowedOrigins));
  return {
    'X-Request-Id': 'context.requestId',
    ...Object.fromEntries(literal.map(([name, value]) => [name, `'${value}'`])),
  };
}

/** Without the path: a callback's has the token that authenticates it. */
function accessLogFormat(): apigateway.AccessLogFormat {
  const { AccessLogField: field } = apigateway;
  return apigateway.AccessLogFormat.custom(
    JSON.stringify({
      requestId: field.contextRequestId(),
      requestTime: field.contextRequestTime(),
      ip: field.contextIdentitySourceIp(),
      httpMethod: field.contextHttpMethod(),
      resourcePath: field.contextResourcePath(),
      status: field.contextStatus(),
      responseLength: field.contextResponseLength(),
      responseLatencyMs: field.contextResponseLatency(),
      // Where the answer is API Gateway's own, as which, and what came of the function.
      gatewayResponse: field.contextErrorResponseType(),
      integrationStatus: field.contextIntegrationStatus(),
      integrationError: field.contextIntegrationErrorMessage(),
      firewall: field.contextWafResponseCode(),
    }),
  );
}
