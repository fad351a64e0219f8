import { Duration } from 'aws-cdk-lib';
import type * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as codedeploy from 'aws-cdk-lib/aws-codedeploy';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { ServiceFunction } from './service-function.ts';

export interface GradualReleaseProps {
  readonly function: ServiceFunction;
  readonly api: apigateway.RestApi;
}

/**
 * A tenth of the requests go to a new release for five minutes, then all. Either alarm sends them back to the release before,
 * and fails the deployment.
 */
export class GradualRelease extends Construct {
  constructor(scope: Construct, id: string, { function: released, api }: GradualReleaseProps) {
    super(scope, id);
    const minute = { period: Duration.minutes(1) };
    const alarm = (name: string, metric: cloudwatch.IMetric, threshold: number, description: string) =>
      new cloudwatch.Alarm(this, name, {
        alarmDescription: `${description} A release that is under way is taken back.`,
        metric,
        threshold,
        evaluationPeriods: 2,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      });
    const group = new codedeploy.LambdaDeploymentGroup(this, 'DeploymentGroup', {
      alias: released.alias,
      deploymentConfig: codedeploy.LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
      alarms: [
        alarm(
          'Crashes',
          released.alias.metricErrors({ ...minute, statistic: 'Sum' }),
          0,
          'Invocations of the API’s function fail.',
        ),
        alarm(
          'ServerErrors',
          api.metricServerError({ ...minute, statistic: 'Average' }),
          0.05,
          'More than one request in twenty is answered with 5xx.',
        ),
      ],
      autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true },
    });
    acknowledge(group, {
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]':
        'CodeDeploy’s own role, as AWS documents it: it moves aliases.',
    });
  }
}
