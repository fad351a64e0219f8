/*
 * The toolkit's classes fit its interfaces, but for telling absent from undefined (exactOptionalPropertyTypes): the only casts
 * of the infrastructure, in one place.
 */
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';

export const asVpc = (vpc: ec2.Vpc) => vpc as ec2.IVpc;
export const asVersion = (version: lambda.Version) => version as lambda.IVersion;
export const asFunction = (alias: lambda.Alias) => alias as lambda.IFunction;
