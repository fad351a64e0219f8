import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { functionProfiles } from '../config/function-profiles.ts';
import { retentionOf } from '../config/retention.ts';
import type { Settings } from '../config/settings.ts';
import { acknowledge } from '../constructs/acknowledge.ts';
import { Database } from '../constructs/database.ts';
import type { NetworkStack } from './network-stack.ts';

/** All that Secrets Manager puts in. By name, since emulators do not know `ExcludePunctuation`. */
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** What must not be lost: the database and the secrets. */
export class DataStack extends Stack {
  /** Result and callback tokens, and the encryption of agents' secrets, derive from it. */
  readonly secretKey: secretsmanager.Secret;
  /** Of the first administrator. The migration puts the key in. */
  readonly adminKey: secretsmanager.Secret;
  /** Null: the settings name one by its address. */
  readonly database: Database | null;

  constructor(scope: Construct, id: string, settings: Settings, network: NetworkStack | null) {
    super(scope, id, {
      stackName: `${settings.prefix}-data`,
      description: 'Stepline: database and secrets',
      terminationProtection: settings.options.deletionProtection,
    });
    const removalPolicy = settings.options.deletionProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    this.secretKey = new secretsmanager.Secret(this, 'SecretKey', {
      secretName: `${settings.prefix}/secret-key`,
      description: 'What tokens and the encryption of agents’ secrets derive from',
      // Of the alphabet of base64, of which 44 characters are 33 bytes.
      generateSecretString: { passwordLength: 44, excludeCharacters: PUNCTUATION },
      removalPolicy,
    });
    const adminKeyName = `${settings.prefix}/admin-key`;
    this.adminKey = new secretsmanager.Secret(this, 'AdminKey', {
      secretName: adminKeyName,
      description: 'The first administrator’s API key, in api_key',
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'not_made_yet' },
      removalPolicy,
    });
    acknowledge(this.secretKey, {
      'AwsSolutions-SMG4':
        'Agents’ secrets are encrypted with it: to change it is a procedure, in RUNBOOK.md, and not a schedule.',
    });
    acknowledge(this.adminKey, {
      'AwsSolutions-SMG4':
        'An API key like any other: it is replaced and revoked by the API, which keeps only its hash.',
    });
    new CfnOutput(this, 'AdminKeySecret', {
      value: adminKeyName,
      description: 'The secret with the first administrator’s API key, in api_key',
    });
    this.database = this.#makeDatabase(settings, network);
  }

  #makeDatabase({ database, options, prefix }: Settings, network: NetworkStack | null): Database | null {
    if (database.kind === 'url' || network === null) return null;
    const users = Object.values(functionProfiles).flatMap(({ databaseUser }) =>
      databaseUser === 'administrator' || databaseUser === null ? [] : [databaseUser],
    );
    return new Database(this, 'Database', {
      settings: database,
      name: prefix,
      vpc: network.vpc,
      databaseGroup: unchanging(this, 'DatabaseGroup', network.groups.database),
      proxyGroup: unchanging(this, 'ProxyGroup', network.groups.proxy),
      databaseUsers: users,
      deletionProtection: options.deletionProtection,
      retention: retentionOf(options.logRetentionDays),
    });
  }
}

/** The rules of a group are the network's: the toolkit would add some here, and so make the network wait for what is in it. */
function unchanging(
  scope: Construct,
  id: string,
  { securityGroupId }: ec2.ISecurityGroup,
): ec2.ISecurityGroup {
  return ec2.SecurityGroup.fromSecurityGroupId(scope, id, securityGroupId, { mutable: false });
}
