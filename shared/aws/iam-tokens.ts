/** What a client of MSK authenticates with by its role: a token that is good for fifteen minutes. kafkajs asks for another in time. */
export function createMskToken(region: string): () => Promise<string> {
  return async () => {
    const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
    const { token } = await generateAuthToken({ region });
    return token;
  };
}

/**
 * A password of RDS for one connection: a token signed with the function's role, good for fifteen minutes, so that there is no
 * password to keep or to rotate. The connection that it opens lasts beyond it.
 * @param databaseUrl says where and as whom; the token is good there and for that user only
 */
export function createRdsPassword(databaseUrl: string, region: string): () => Promise<string> {
  const { hostname, port, username } = new URL(databaseUrl);
  return async () => {
    const { Signer } = await import('@aws-sdk/rds-signer');
    const signer = new Signer({
      hostname,
      port: Number(port || 5432),
      username: decodeURIComponent(username),
      region,
    });
    return signer.getAuthToken();
  };
}
