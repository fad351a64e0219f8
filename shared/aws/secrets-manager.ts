import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

let client: Promise<SecretsManagerClient> | undefined;

/** The SDK is loaded at the first secret: a function that needs none, and the local stack, never load it. */
async function openClient(): Promise<SecretsManagerClient> {
  const { SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  return new SecretsManagerClient({ maxAttempts: 5 });
}

/** The text of a secret in Secrets Manager. */
export async function readSecret(arn: string): Promise<string> {
  const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  client ??= openClient();
  const { SecretString } = await (await client).send(new GetSecretValueCommand({ SecretId: arn }));
  if (SecretString === undefined) throw new Error(`The secret ${arn} is binary: expected text`);
  return SecretString;
}

export async function writeSecret(arn: string, text: string): Promise<void> {
  const { PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  client ??= openClient();
  await (await client).send(new PutSecretValueCommand({ SecretId: arn, SecretString: text }));
}
