import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { FunctionProfile } from '../config/function-profiles.ts';
import { acknowledge } from './acknowledge.ts';
import { asVersion } from './as-interface.ts';
import { bundleFunction } from './bundle.ts';
import { privateSubnets } from './network.ts';
import type { Tracing } from './tracing.ts';

export interface ServiceFunctionProps {
  readonly name: string;
  /** In the account: what people and other functions call it by. */
  readonly functionName: string;
  readonly profile: FunctionProfile;
  readonly environment: Readonly<Record<string, string>>;
  readonly permissions: readonly iam.PolicyStatement[];
  readonly reservedConcurrency: number | undefined;
  /** Null: outside any VPC. */
  readonly network: { readonly vpc: ec2.IVpc; readonly group: ec2.ISecurityGroup } | null;
  readonly tracing: Tracing;
  readonly retention: logs.RetentionDays;
}

export const ALIAS = 'live';

/**
 * A function on Node 24 and ARM64, with a role of its own that allows what its profile says, and the alias `live`, by which all
 * others come to it: a release moves the alias, and so does the way back.
 */
export class ServiceFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;
  #alias: lambda.Alias | undefined;

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id);
    const { profile, network } = props;
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/aws/lambda/${props.functionName}`,
      retention: props.retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = this.#makeRole(props);
    this.function = new lambda.Function(this, 'Function', {
      functionName: props.functionName,
      description: profile.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromAsset(bundleFunction(props.name)),
      memorySize: profile.memoryMb,
      timeout: Duration.seconds(profile.timeoutSeconds),
      ...(props.reservedConcurrency !== undefined && {
        reservedConcurrentExecutions: props.reservedConcurrency,
      }),
      environment: { ...props.environment, ...props.tracing.environment },
      role: this.role,
      // What an alias can go back to.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: props.tracing.mode,
      layers: [...props.tracing.layers],
      ...(network && { vpc: network.vpc, vpcSubnets: privateSubnets, securityGroups: [network.group] }),
    });
    this.#acknowledge(props);
  }

  #acknowledge({ network, tracing, permissions }: ServiceFunctionProps): void {
    const isTraced = tracing.mode === lambda.Tracing.ACTIVE;
    acknowledge(this, {
      'Serverless-LambdaDLQ':
        'What fails asynchronously comes again by itself: the timekeeper each minute, an agent’s task by its wake. Mappings have an on-failure topic.',
      'Serverless-LambdaAsyncFailureDestination':
        'What fails asynchronously comes again by itself: the timekeeper each minute, an agent’s task by its wake.',
      ...(!isTraced && {
        'Serverless-LambdaTracing': 'A cheap environment; -c tracing=xray traces invocations.',
      }),
      ...((network || isTraced) && {
        'AwsSolutions-IAM5[Resource::*]':
          'Network interfaces and traces: EC2 and X-Ray know no narrower resource for these actions.',
      }),
    });
    acknowledge(this, this.#agentFunctions(permissions));
  }

  #agentFunctions(permissions: readonly iam.PolicyStatement[]): Record<string, string> {
    const invoked = permissions.filter(({ actions }) => actions.includes('lambda:InvokeFunction'));
    const wild = invoked.flatMap(({ resources }) => resources).filter((arn) => arn.endsWith('*'));
    return Object.fromEntries(
      wild.map((arn) => [
        `AwsSolutions-IAM5[Resource::${wordsOf(Stack.of(this).resolve(arn))}]`,
        'Agents that are functions come and go without a deployment: by tag, or each with its versions by list.',
      ]),
    );
  }

  /** Made when asked for: what is granted to the function before belongs to its version. */
  get alias(): lambda.Alias {
    this.#alias ??= new lambda.Alias(this, 'Alias', {
      aliasName: ALIAS,
      version: asVersion(this.function.currentVersion),
      // What fails asynchronously comes again by itself: the timekeeper each minute, an agent's task by its wake.
      retryAttempts: 0,
      maxEventAge: Duration.minutes(5),
    });
    return this.#alias;
  }

  /** Written out instead of AWS's managed policies, which allow every log group and every network interface call there is. */
  #makeRole({ permissions, network }: ServiceFunctionProps): iam.Role {
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    const statements = [
      new iam.PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
      ...(network ? [networkInterfaces()] : []),
      ...permissions,
    ];
    // Beside the role, so that the function waits until it is there.
    for (const statement of statements) role.addToPolicy(statement);
    return role;
  }
}

/** Lambda makes the interfaces as the function's role; EC2 knows no narrower resource for most of these. */
function networkInterfaces(): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ],
    resources: ['*'],
  });
}

/** As cdk-nag names a resource in a finding. */
function wordsOf(resolved: unknown): string {
  if (typeof resolved === 'string') return resolved;
  const { 'Fn::Join': join, Ref: ref } = resolved as { 'Fn::Join'?: [string, unknown[]]; Ref?: string };
  return join ? join[1].map(wordsOf).join(join[0]) : `<${ref}>`;
}

/** By its name: a role that named the alias itself would wait for what waits for the role. */
export function aliasArn(scope: Construct, functionName: string): string {
  return Stack.of(scope).formatArn({
    service: 'lambda',
    resource: 'function',
    resourceName: `${functionName}:${ALIAS}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
