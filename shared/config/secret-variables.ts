type Variables = Readonly<Record<string, string | undefined>>;

/** Variables that may be in Secrets Manager instead: `<name>_ARN` then says where. */
const secretNames = ['STEPLINE_SECRET_KEY', 'JWT_SECRET'] as const;

/** The variables that name a secret instead of holding it. */
export const secretArnVariables = [...secretNames.map((name) => `${name}_ARN`), 'DATABASE_SECRET_ARN'];

/**
 * The variables with the secrets in their places. A deployed function's configuration, which many may read, holds the secrets'
 * ARNs only; the values stay in the execution environment's memory for as long as it lives.
 */
export async function withSecrets(
  variables: Variables,
  readSecret: (arn: string) => Promise<string>,
): Promise<Variables> {
  const entries = secretNames.map(async (name) => {
    const arn = variables[`${name}_ARN`];
    return arn ? { [name]: await readSecret(arn) } : {};
  });
  const database = databaseUrlWithSecret(variables, readSecret);
  return Object.assign({ ...variables }, ...(await Promise.all([...entries, database])));
}

/** RDS keeps the administrator's name and password as JSON; the password may hold any character. */
async function databaseUrlWithSecret(
  { DATABASE_URL, DATABASE_SECRET_ARN }: Variables,
  readSecret: (arn: string) => Promise<string>,
): Promise<Variables> {
  if (!DATABASE_SECRET_ARN || DATABASE_URL === undefined) return {};
  const { username, password } = JSON.parse(await readSecret(DATABASE_SECRET_ARN)) as Record<string, string>;
  const url = new URL(DATABASE_URL);
  url.username = encodeURIComponent(username ?? '');
  url.password = encodeURIComponent(password ?? '');
  return { DATABASE_URL: url.href };
}
