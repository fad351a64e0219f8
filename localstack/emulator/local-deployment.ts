import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { EventSourceMapping } from '../event-source/event-source-mapping.ts';
import type { RunningServers } from '../servers.ts';
import { type DeployedMapping, deployedMappings } from '../template/deployed-mappings.ts';
import { readTemplate } from '../template/template.ts';
import type { Emulator } from './emulator.ts';
import { lambdaInvoker } from './lambda-invoker.ts';
import { createToolkit } from './toolkit.ts';

export interface LocalDeploymentOptions {
  readonly emulator: Emulator;
  readonly servers: Pick<RunningServers, 'databaseUrl' | 'kafkaBrokers'>;
  /** For the assembly and what the toolkit prints. */
  readonly folder: string;
  readonly log: (source: string, line: string) => void;
}

export interface Deployed {
  readonly apiUrl: string;
  /** Of the first administrator, from Secrets Manager. */
  readonly apiKey: string;
}

/** The environment `local` of the CDK app on an emulator, and what no emulator does: polling Kafka for its mappings. */
export interface LocalDeployment {
  bootstrap(): Promise<void>;
  /**
   * A first deployment, or an update. While it goes on, and after it has failed, what is deployed goes on working.
   * @param checkout of the sources to deploy; this one by default
   * @throws StartError when CloudFormation, or the migration, fails
   */
  deploy(checkout?: string): Promise<Deployed>;
  destroy(): Promise<void>;
  /** Ends the polling; what is deployed stays. */
  stop(): Promise<void>;
}

const outputs = z.object({
  'stepline-local-functions': z.object({ ApiUrl: z.string() }),
  'stepline-local-data': z.object({ AdminKeySecret: z.string() }),
});
const adminKey = z.object({ api_key: z.string() });
const everything = '--all';

export function createLocalDeployment(options: LocalDeploymentOptions): LocalDeployment {
  const { emulator, servers, folder } = options;
  const toolkit = createToolkit(emulator, folder);
  const polling = createPolling(options);
  const assembly = join(folder, 'assembly');
  const context = Object.entries({
    env: 'local',
    emulatorUrl: emulator.url,
    databaseUrl: servers.databaseUrl,
    kafkaBootstrapBrokers: servers.kafkaBrokers,
  }).flatMap(([name, value]) => ['--context', `${name}=${value}`]);
  return {
    // Where there is no app: it would be synthesised, and nothing of it is asked.
    bootstrap: () => toolkit.run('bootstrap', [`aws://${emulator.account}/${emulator.region}`], folder),
    async deploy(checkout) {
      const outputsFile = join(folder, 'outputs.json');
      const files = ['--output', assembly, '--outputs-file', outputsFile];
      // Validation takes half of a synthesis; `npm run synth:check` validates this environment with the others.
      const flags = ['--require-approval', 'never', '--no-validation'];
      await toolkit.run('deploy', [everything, ...flags, ...files, ...context], checkout);
      await polling.follow(deployedMappings(readTemplate(assembly, 'Functions')));
      const deployed = outputs.parse(JSON.parse(readFileSync(outputsFile, 'utf8')));
      return {
        apiUrl: deployed['stepline-local-functions'].ApiUrl,
        apiKey: await readAdminKey(emulator, deployed['stepline-local-data'].AdminKeySecret),
      };
    },
    async destroy() {
      await polling.stop();
      await toolkit.run('destroy', [everything, '--force', '--app', assembly]);
    },
    stop: polling.stop,
  };
}

function createPolling({ emulator, servers, log }: LocalDeploymentOptions) {
  const client = new LambdaClient({
    endpoint: emulator.url,
    region: emulator.region,
    credentials: emulator.credentials,
    // The mapping itself tries again.
    maxAttempts: 1,
  });
  let followed: readonly DeployedMapping[] = [];
  let running: readonly EventSourceMapping[] = [];
  const stop = async () => {
    await Promise.all(running.map((mapping) => mapping.stop()));
    running = [];
    followed = [];
  };
  return {
    stop,
    /** An update that changes no mapping leaves the pollers alone, as it does on AWS. */
    async follow(mappings: readonly DeployedMapping[]) {
      if (isDeepStrictEqual(mappings, followed)) return;
      await stop();
      followed = mappings;
      running = mappings.map(
        ({ alias, ...settings }) =>
          new EventSourceMapping({
            settings,
            brokers: servers.kafkaBrokers.split(','),
            invoker: lambdaInvoker(client, settings.functionName, alias),
            log: (line) => log('event-source-mapping', line),
          }),
      );
      await Promise.all(running.map((mapping) => mapping.start()));
    },
  };
}

async function readAdminKey({ url, region, credentials }: Emulator, secretId: string): Promise<string> {
  const client = new SecretsManagerClient({ endpoint: url, region, credentials });
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    return adminKey.parse(JSON.parse(SecretString ?? 'null')).api_key;
  } finally {
    client.destroy();
  }
}
