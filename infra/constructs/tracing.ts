import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { Options } from '../config/settings.ts';

/** What a function needs to be traced as its deployment wants it. */
export interface Tracing {
  readonly mode: lambda.Tracing;
  readonly layers: readonly lambda.ILayerVersion[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * `xray`: Lambda itself records each invocation, at no cost of the function's time. `adot`: AWS's distribution of OpenTelemetry
 * stands between, and adds what the function asks over HTTP (agents, AWS services); it is loaded at every cold start.
 */
export function tracingOf(scope: Construct, id: string, { tracing, adotLayerArn }: Options): Tracing {
  if (tracing === 'off') return { mode: lambda.Tracing.DISABLED, layers: [], environment: {} };
  if (tracing === 'xray') return { mode: lambda.Tracing.ACTIVE, layers: [], environment: {} };
  if (adotLayerArn === undefined) throw new Error('Expected adotLayerArn beside tracing=adot');
  return {
    mode: lambda.Tracing.ACTIVE,
    layers: [lambda.LayerVersion.fromLayerVersionArn(scope, id, adotLayerArn)],
    environment: {
      AWS_LAMBDA_EXEC_WRAPPER: '/opt/otel-instrument',
      // Traces only, handed to the daemon that Lambda runs anyway: no collector starts with the function. Older layers do not know it.
      OTEL_AWS_LAMBDA_FAST_START: 'true',
      // Metrics of its own, paid for by the signal, and permissions that no function here has.
      OTEL_AWS_APPLICATION_SIGNALS_ENABLED: 'false',
    },
  };
}
